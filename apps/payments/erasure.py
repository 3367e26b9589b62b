"""Takes an erased person out of payments, the gateway's events and their copies.

Amounts, currencies, states, moments and the gateway's ids stay: the books are made of them, and the
reconciler compares them. What the gateway itself keeps is deleted there (docs/erasure.md).
"""

from typing import Any
from uuid import UUID

import orjson
from django.db.models import Model, Q
from djstripe import models as copies

from apps.core.erased_person import GONE, ErasedPerson, clean_rows
from apps.payments.models import Discrepancy, GatewayCall, Payment, Refund, WebhookInbox

# In the gateway's objects: who paid, where they live, and which card it was.
PERSONAL = frozenset(
    {
        "billing_details",
        "billing_name",
        "shipping",
        "receipt_email",
        "receipt_url",
        "customer_email",
        "owner",
    }
    | {"customer_details", "email", "name", "phone", "address", "ip", "ip_address"}
    # of a dispute's evidence
    | {"customer_name", "customer_email_address", "customer_purchase_ip"}
    | {"billing_address", "shipping_address"}
    | {"last4", "fingerprint", "exp_month", "exp_year", "dynamic_last4", "client_ip"}
)


def under_way(order_ids: list[UUID]) -> list[str]:
    """Why money of these orders is not settled, in words; empty when it is."""
    refunds = Refund.objects.filter(payment__order_id__in=order_ids)
    waiting = Q(status=Refund.Status.REQUESTED) | Q(
        status=Refund.Status.FAILED, resolved_at__isnull=True
    )
    found = []
    if refunds.filter(waiting).exists():
        found.append("a refund is on its way, or waits for a decision")
    differing = Discrepancy.objects.filter(payment__order_id__in=order_ids)
    if differing.filter(state=Discrepancy.State.OPEN).exists():
        found.append("the gateway's books and ours differ about a payment")
    return found


def lock(order_ids: list[UUID]) -> list[Payment]:
    """Lock the payments of these orders, by ascending id: before the orders, as everywhere."""
    mine = Payment.objects.filter(order_id__in=order_ids).order_by("pk")
    return list(mine.select_for_update(no_key=True))


def erase(person: ErasedPerson) -> None:
    """In the caller's transaction."""
    payments = Payment.objects.filter(order_id__in=person.order_ids)
    intents = [i for i in payments.values_list("intent_id", flat=True) if i]
    methods = [m for m in payments.values_list("payment_method", flat=True) if m != GONE]
    clean_rows(person, payments, "message")
    refunds = Refund.objects.filter(payment__in=payments)
    clean_rows(person, refunds, "reason", "actor", "message", "resolution", "resolved_by")
    refunds.filter(purpose__startswith="return:").update(reason="")  # the shopper's own words
    clean_rows(person, GatewayCall.objects.filter(payment__in=payments), "detail")
    differing = Discrepancy.objects.filter(payment__in=payments)
    _scrub(person, differing, "evidence", "history")
    clean_rows(person, differing, "why", "resolution", "resolved_by")
    for intent in intents:
        _erase_events(person, intent)
    _erase_copies(person, intents, methods)
    payments.update(return_url="", next_action_url="", card="", payment_method=GONE, details={})


def _erase_events(person: ErasedPerson, intent: str) -> None:
    """The events about a payment. Their table has no index for it and is read whole."""
    about = Q(payload__data__object__id=intent) | Q(payload__data__object__payment_intent=intent)
    events = WebhookInbox.objects.filter(about)
    _scrub(person, events, "payload")
    clean_rows(person, events, "error", "mirror_error", "resolution", "resolved_by")


def _erase_copies(person: ErasedPerson, intents: list[str], methods: list[str]) -> None:
    """dj-stripe's tables, which the mirror fills."""
    for intent in intents:
        about = Q(data__object__id=intent) | Q(data__object__payment_intent=intent)
        _scrub(person, copies.Event.objects.filter(about), "data", "stripe_data", "metadata")
        for trigger in copies.WebhookEventTrigger.objects.filter(body__contains=intent):
            _scrub_body(person, trigger)
    of_payment = Q(id__in=intents) | Q(stripe_data__payment_intent__in=intents)
    for model in (copies.PaymentIntent, copies.Charge, copies.Refund, copies.Dispute):
        rows = model.objects.filter(of_payment)
        methods += [row.stripe_data.get("payment_method") or "" for row in rows]
        _scrub(person, rows, "stripe_data", "metadata")
    cards = copies.PaymentMethod.objects.filter(id__in=[m for m in methods if m])
    _scrub(person, cards, "stripe_data", "metadata")


def _scrub(person: ErasedPerson, rows: Any, *columns: str) -> None:
    for row in rows:
        new = {column: scrubbed(getattr(row, column), person) for column in columns}
        type(row)._base_manager.filter(pk=row.pk).update(**new)


def _scrub_body(person: ErasedPerson, trigger: Model) -> None:
    body: str = trigger.body  # type: ignore[attr-defined]
    try:
        new = orjson.dumps(scrubbed(orjson.loads(body), person)).decode()
    except orjson.JSONDecodeError:
        new = GONE  # cut or broken: what it holds cannot be read
    type(trigger)._base_manager.filter(pk=trigger.pk).update(body=new)


def scrubbed(value: Any, person: ErasedPerson) -> Any:
    """A JSON value of the gateway's without the person; PERSONAL members become null."""
    if isinstance(value, dict):
        return {
            name: None if name in PERSONAL else scrubbed(kept, person)
            for name, kept in value.items()
        }
    if isinstance(value, list):
        return [scrubbed(item, person) for item in value]
    return person.without(value)
