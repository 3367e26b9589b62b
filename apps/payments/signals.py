"""Signals that the payments send to the apps that build on them."""

from django.dispatch import Signal

# Sent with `order_ids` when what webhooks said about these orders is in our books. May be sent
# twice for the same change.
payments_settled = Signal()

# Sent without arguments when the gateway answers again after an outage. May be sent twice.
gateway_recovered = Signal()

# Sent with `refund`, once, in the transaction that records that the money has gone back; the
# payment is locked. A receiver that raises rolls the record back, and the refund is asked about
# again.
refund_succeeded = Signal()
