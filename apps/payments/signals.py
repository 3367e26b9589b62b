"""What payments tell those above them, without knowing them."""

from django.dispatch import Signal

# Sent with `order_ids` after what a webhook said is in our books. May be sent twice.
payments_settled = Signal()

# Sent without arguments when the gateway answers again after an outage. May be sent twice.
gateway_recovered = Signal()
