"""The permission that each action asks for."""

CHANGE = "orders.change_order"
REFUND = "payments.add_refund"
RETURN = "orders.change_return"
DECIDE = "orders.change_saga"
