"""How staff sign in to the back office, and how long it stays open for them.

staff_session.py         what the session keeps, and what a person has to show before a page opens
access.py                middleware: applies staff_session to every page of the back office
limits.py                middleware: the limits on writes, for every page of the back office
views.py                 the sign-in page, and the page that asks for the password or code again
reauthentication.py      asks for the password or code again in the middle of a request
confirm_form.py          the form of that page, and whether what was typed is right
second_factor.py         checks a code from the phone's app or a backup code
enrolment.py             sets up, replaces and resets a person's second factor
second_factor_views.py   the page on which staff set up their second factor
"""
