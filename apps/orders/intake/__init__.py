"""From a checkout request to an order on disk with its stock held.

    accepted = intake.place_order(request)

Read accept_batch.py first: it is the algorithm. queue.py gathers the requests of many threads into
batches for it, checkout_request.py says what a request is.
"""

from apps.orders.intake.checkout_request import CheckoutRequest
from apps.orders.intake.pending import Accepted
from apps.orders.intake.queue import drain, place_order, recall

__all__ = ["Accepted", "CheckoutRequest", "drain", "place_order", "recall"]
