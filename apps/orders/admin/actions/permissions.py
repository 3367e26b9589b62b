"""The permission that each action asks for: one each, so that a role can have one without another.

Cancelling asks for REFUND as well where money would go back (cancellation.py), and so does undoing
an order in review. Receiving a return includes its refund: what is owed for the units that are
accepted is fixed by what was paid for them, and staff cannot choose the amount.
"""

SHIP = "orders.ship_order"
CANCEL = "orders.cancel_order"
REFUND = "payments.add_refund"
RECEIVE = "orders.receive_return"
ERASE = "customers.erase_user"
DECIDE = "orders.change_saga"
