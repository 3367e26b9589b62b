"""Two sets of books: charges that others make at the gateway, and comparing the two sides.

charge = a_charge(shop, captured=True)     at the gateway, by others; no payment of ours
compare()                                  what the task does each minute, to its end
compare_all()                              what it does once a day
rows()                                     (kind, state) of every discrepancy
"""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings

from apps.payments import gateway as gateways
from apps.payments.models import Discrepancy, Payment, Reconciliation
from apps.payments.reconciler import pages, schedule, two_sides
from tests.orders.purchases import Shop

Scope = Reconciliation.Scope


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is old enough to be judged at once."""
    monkeypatch.setattr(two_sides, "GRACE", timedelta(0))
    monkeypatch.setattr(schedule, "GRACE", timedelta(0))
    monkeypatch.setattr(pages, "LOOK_AFTER", timedelta(0))


def compare(*scopes: str) -> None:
    for scope in scopes or (Scope.OPEN, Scope.RECENT):
        row = schedule.run(scope)
        assert (row.phase, row.error, row.failures) == ("idle", "", 0)


def compare_all() -> None:
    compare(Scope.ALL)


def a_charge(
    shop: Shop,
    *,
    payment: Payment | None = None,
    captured: bool = False,
    card: str = "pm_card_visa",
    amount: int = 2500,
    mark: str | None = settings.SHOP_URL,
    payment_id: str = "",
) -> str:
    """A charge at the gateway that our books do not have; its id there."""
    metadata = {"payment_id": payment_id or (str(payment.pk) if payment else str(uuid4()))}
    if payment is not None:
        metadata["order_id"] = str(payment.order_id)
    if mark is not None:
        metadata["shop"] = mark
    gateway = gateways.get_gateway()
    intent = gateway.authorize(
        key=str(uuid4()),
        amount=payment.amount if payment else amount,
        currency="USD",
        payment_method=card,
        metadata=metadata,
        return_url="https://shop.example/",
    )
    if captured:
        gateway.capture(intent.id, key=str(uuid4()), amount=intent.amount, currency=intent.currency)
    return intent.id


def there(shop: Shop, intent_id: str) -> tuple[str, int, int]:
    """(status, received, refunded) at the gateway."""
    (shown,) = (i for i in shop.intents() if i["id"] == intent_id)
    return shown["status"], shown["amount_received"], shown["amount_refunded"]


def rows() -> list[tuple[str, str]]:
    return list(Discrepancy.objects.order_by("pk").values_list("kind", "state"))


def the_row() -> Discrepancy:
    return Discrepancy.objects.get()


def refunds_there(shop: Shop, intent_id: str) -> list[dict[str, Any]]:
    listed = shop.sandbox.client().raw_request("get", "/v1/refunds", payment_intent=intent_id)
    return list(listed.data["data"])


def refund_at_dashboard(shop: Shop, order_id: UUID, amount: int) -> str:
    """Money goes back at the gateway's dashboard, without our books; the refund's id."""
    made = shop.sandbox.client().v1.refunds.create(
        {"payment_intent": shop.payment(order_id).intent_id, "amount": amount}
    )
    return str(made.id)


def everything(shop: Shop) -> tuple[Any, ...]:
    """What comparing once more must leave as it is."""
    return (
        shop.intents(),
        [event["id"] for event in shop.events()],
        list(Payment.objects.order_by("pk").values()),
        list(Discrepancy.objects.order_by("pk").values("pk", "state", "history", "tries")),
    )
