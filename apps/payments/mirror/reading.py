"""What the gateway shows now of the payments that a batch of events is about.

An event says that something has changed; it is read again here and not copied from the event,
because events arrive in any order and carry ids where the tables want objects. One page of the
gateway's list shows 100 payments with their charge, its balance transaction and the payment method,
so that a batch of 500 events takes three to six calls. A few of them are under way at a time:
behind a real gateway the mirror would else be as slow as one answer after the other.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any

from apps.payments.gateway import NO_SUCH_OBJECT, PAGE, GatewayRefused
from apps.payments.mirror.touched import Touched

Object = dict[str, Any]
"""An object as Stripe's API shows it."""
Read = Callable[..., dict[str, Any]]
"""`StripeGateway.read`: (path, **parameters) to an object or a page."""

INTENTS = "/v1/payment_intents"
EXPAND = ("latest_charge.balance_transaction", "payment_method")
FEW = 4  # payments that are rather read one by one
READERS = 4  # pages under way at a time


@dataclass(slots=True)
class Shown:
    """The gateway's objects by kind, each with ids in place of the objects that it holds."""

    payment_methods: list[Object] = field(default_factory=list)
    balance_transactions: list[Object] = field(default_factory=list)
    intents: list[Object] = field(default_factory=list)
    charges: list[Object] = field(default_factory=list)
    refunds: list[Object] = field(default_factory=list)

    @property
    def unsettled(self) -> set[str]:
        """Ids of payments whose captured charge has no balance transaction yet.

        Stripe makes it some time after the capture and says so in no event that is subscribed to.
        """
        return {
            charge["payment_intent"]
            for charge in self.charges
            if charge["captured"] and charge["balance_transaction"] is None
        }


def read(touched: Iterable[Touched], *, read: Read, readers: Executor | None = None) -> Shown:
    """The touched payments as they are now. What the gateway does not know is left out.

    `readers`: threads that read pages at the same time; without them one page is read at a time.
    Raises the failures of the gateway (gateway.py).
    """
    created: dict[str, int | None] = {}
    with_refunds = set()
    for one in touched:
        created[one.intent_id] = one.created or created.get(one.intent_id)
        if one.refunds:
            with_refunds.add(one.intent_id)
    shown = Shown()
    for intent in _intents(created, read, readers).values():
        _add_intent(shown, intent)
    for intent_id in sorted(with_refunds):
        _add_refunds(shown, intent_id, read)
    return shown


def _intents(
    created: Mapping[str, int | None], read: Read, readers: Executor | None
) -> dict[str, Object]:
    dated = {id: moment for id, moment in created.items() if moment is not None}
    found: dict[str, Object] = {}
    if len(dated) > FEW:
        spans = _spans(dated, at_most=READERS if readers else 1)
        for some in (readers.map if readers else map)(partial(_listed, read=read), spans):
            found |= some
    for intent_id in created:
        if intent_id not in found and (intent := _retrieved(intent_id, read)) is not None:
            found[intent_id] = intent
    return found


def _spans(created: Mapping[str, int], *, at_most: int) -> list[dict[str, int]]:
    """The payments in parts by time, of a page at least."""
    count = min(at_most, 1 + (len(created) - 1) // PAGE)
    in_order = sorted(created.items(), key=itemgetter(1))
    size = -(-len(in_order) // count)
    return [dict(in_order[begin : begin + size]) for begin in range(0, len(in_order), size)]


def _listed(created: Mapping[str, int], *, read: Read) -> dict[str, Object]:
    """Those that the gateway's list shows within a number of calls that pays.

    The list is newest first. Where the next payment that is still wanted is older than the page
    before, the list begins anew there, so that a gap of hours costs no more than a page.
    """
    left, found = dict(created), {}
    calls = 2 + 2 * len(created) // PAGE + len(created) // 10
    behind: str | None = None
    expand = [f"data.{path}" for path in EXPAND]
    while left and calls:
        calls -= 1
        newest = max(left.values())
        page = read(
            INTENTS,
            limit=PAGE,
            created={"gte": min(left.values()), "lte": newest},
            expand=expand,
            **({"starting_after": behind} if behind else {}),
        )
        for intent in page["data"]:
            if left.pop(intent["id"], None) is not None:
                found[intent["id"]] = intent
        if not page["has_more"] or not page["data"] or not left:
            break
        oldest = page["data"][-1]
        # Within one second the list can only be continued, it cannot begin anew.
        behind = oldest["id"] if max(left.values()) >= oldest["created"] else None
    return found


def _retrieved(intent_id: str, read: Read) -> Object | None:
    try:
        return read(f"{INTENTS}/{intent_id}", expand=list(EXPAND))
    except GatewayRefused as refused:
        if refused.code == NO_SUCH_OBJECT:
            return None
        raise


def _add_intent(shown: Shown, intent: Object) -> None:
    charge = _moved_out(intent, "latest_charge")
    method = _moved_out(intent, "payment_method")
    intent.pop("client_secret", None)
    shown.intents.append(intent)
    if method is not None:
        shown.payment_methods.append(method)
    if charge is not None:
        transaction = _moved_out(charge, "balance_transaction")
        shown.charges.append(charge)
        if transaction is not None:
            shown.balance_transactions.append(transaction)


def _add_refunds(shown: Shown, intent_id: str, read: Read) -> None:
    """One payment has few refunds: a page is all of them."""
    page = read(
        "/v1/refunds",
        payment_intent=intent_id,
        limit=PAGE,
        expand=["data.balance_transaction"],
    )
    for refund in page["data"]:
        transaction = _moved_out(refund, "balance_transaction")
        if transaction is not None:
            shown.balance_transactions.append(transaction)
        shown.refunds.append(refund)


def _moved_out(of: Object, name: str) -> Object | None:
    """The object under `name`, whose place its id takes; None where there is but an id."""
    inner = of.get(name)
    if not isinstance(inner, dict):
        return None
    of[name] = inner["id"]
    return inner
