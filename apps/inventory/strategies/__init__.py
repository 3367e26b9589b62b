"""Three ways to reserve units of scarce stock items, behind one function.

    reserve(requests) -> one Grant or Shortage per request, in their order

`INVENTORY_STRATEGY` names the one that runs:

| strategy      | what it does about other transactions                    | look for              |
|---------------|----------------------------------------------------------|-----------------------|
| `conditional` | one UPDATE with the condition in its WHERE; locks only   | `RESERVE`             |
| (default)     | what does not fit                                        |                       |
| `pessimistic` | locks the rows before it decides                         | `select_for_update()` |
| `optimistic`  | F-expression UPDATE where `version` is the one it read;  | `F("reserved") + …`   |
|               | reads again when it is not                               |                       |

`conditional` is the default because a hot row is locked for the shortest time: in the usual case
one statement checks, locks and writes, and a sold-out answer takes no lock at all. `pessimistic`
holds its locks from the decision to the commit; `optimistic` repeats its work under contention.

Each runs inside the caller's transaction, serves a whole batch at once, and answers as if the
requests had come one after the other. Each locks stock items in ascending id, so that carts with
the same SKUs in opposite order cannot deadlock. All use stock_rows.py to read and to lock.
"""

from collections.abc import Callable

from django.conf import settings

from apps.inventory.allocation import Grant, ReserveRequest, Shortage
from apps.inventory.strategies import conditional, optimistic, pessimistic

Reserve = Callable[[list[ReserveRequest]], list[Grant | Shortage]]

BY_NAME: dict[str, Reserve] = {
    "conditional": conditional.reserve,
    "pessimistic": pessimistic.reserve,
    "optimistic": optimistic.reserve,
}


def reserve(requests: list[ReserveRequest]) -> list[Grant | Shortage]:
    """Reserve with the strategy that `INVENTORY_STRATEGY` names."""
    return BY_NAME[settings.INVENTORY_STRATEGY](requests)
