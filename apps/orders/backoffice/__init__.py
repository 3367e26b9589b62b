"""What the back office shows and does about orders. The orders compose the other domains, so what
is put together of several of them stands here.

dossier.py      all that is known about one order, on one page
order_deeds.py  what staff do about an order
day.py          the day at a glance: the admin's first page
navigation.py   the admin's side bar
"""
