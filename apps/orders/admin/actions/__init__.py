"""What staff do about an order: the domain's functions, each confirmed on a page and done once.

offered.py         which of them make sense as the order stands: what the buttons go by
order_facts.py     what every form shows of its order
permissions.py     the permission that each action asks for
cancellation.py    cancel an order before shipment
shipment.py        hand the parcel to the carrier, mark it delivered
refund.py          send money back
returned_goods.py  receive a return, whole or in part, or refuse it
erasure.py         take the person out of a buyer's account and orders
review.py          decide about an order in review (a case type of the review cases)

Each function makes a StaffAction (apps/backoffice/actions.py) for one order. Whether it is allowed
is decided by the domain, under its locks, when the form is sent.
"""
