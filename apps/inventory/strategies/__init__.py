"""Three ways to take units off scarce rows, behind one function.

    take(requests) -> one Grant or Shortage per request, in their order

Each runs inside the caller's transaction, serves a whole batch at once, and answers as if the
requests had come one after the other. They differ in what they do about other transactions:

`conditional`  (default) one UPDATE with the condition in its WHERE; locks only when it does not fit
`pessimistic`  SELECT … FOR UPDATE first, always
`optimistic`   reads freely, writes where `version` is still the one read, tries again if not

Whatever locks more than one stock item does so in ascending id: carts in opposite SKU order cannot
deadlock.
"""

from collections.abc import Callable

from django.conf import settings

from apps.inventory.allocation import Grant, ReserveRequest, Shortage
from apps.inventory.strategies import conditional, optimistic, pessimistic

Take = Callable[[list[ReserveRequest]], list[Grant | Shortage]]

BY_NAME: dict[str, Take] = {
    "conditional": conditional.take,
    "pessimistic": pessimistic.take,
    "optimistic": optimistic.take,
}


def take(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """Take by the strategy named in `INVENTORY_STRATEGY`."""
    return BY_NAME[settings.INVENTORY_STRATEGY](requests)
