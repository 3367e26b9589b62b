"""Which calls of the gateway are to be made for the payments of a batch of orders."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.payments import attempts, refunds
from apps.payments.charging.authorization import authorize, look
from apps.payments.charging.capture import capture
from apps.payments.charging.messages import (
    AUTHORIZE,
    CAPTURE,
    ENDED,
    LOOK,
    VOID_OR_REFUND,
    Call,
    GatewayRequest,
    named,
)
from apps.payments.charging.void_or_refund import void_or_refund
from apps.payments.gateway import Gateway, GatewayCircuitOpen, get_gateway
from apps.payments.models import Payment

S = Payment.Status


def authorizations(order_ids: Iterable[UUID]) -> list[GatewayRequest]:
    """Requests that bring the live payments towards AUTHORIZED.

    Whatever an earlier attempt of the order may still reserve or keep is brought to nothing before
    the live one is asked: of two cards, one at most can be charged.
    """
    wanted = list(order_ids)
    attempts.adopt_earlier(wanted)
    admissions = _admissions_of_new(wanted)
    _write_ahead([pk for pk, admission in admissions.items() if admission.gateway is not None])
    requests = []
    # Read after the write: a payment that was voided meanwhile as never asked must not be asked.
    payments = list(_payments_of(wanted))
    earlier: dict[UUID, list[GatewayRequest]] = defaultdict(list)
    for payment in payments:
        if not payment.live and payment.status not in ENDED:
            undoing = _void_or_refund(payment, reason="another card was tried")
            earlier[payment.order_id].append(undoing)
    for payment in payments:
        first = tuple(earlier[payment.order_id])
        if not payment.live:
            continue
        if payment.status == S.CREATED and payment.intent_id is None:
            admission = admissions.get(payment.pk)
            asked = _request(payment, AUTHORIZE, authorize, admission=admission)
            requests.append(replace(asked, first=first))
        elif payment.status in (S.CREATED, S.REQUIRES_ACTION):
            requests.append(replace(_request(payment, LOOK, look), first=first))
        else:
            # Answered already, by a webhook before our own worker had written the rest.
            requests += first
    return requests


def captures(order_ids: Iterable[UUID]) -> list[GatewayRequest]:
    """Requests that bring authorized payments to CAPTURED."""
    wanted = _payments_of(order_ids).filter(live=True, status=S.AUTHORIZED)
    return [_request(payment, CAPTURE, capture) for payment in wanted.defer("details")]


def voids_and_refunds(order_ids: Iterable[UUID], *, reason: str) -> list[GatewayRequest]:
    """Requests that bring all attempts to a net of zero; `reason` is stored with the refunds.

    A payment about which the gateway was never asked is voided without a call. A refund is a row of
    ours before the gateway is asked for it.
    """
    return [
        _void_or_refund(payment, reason=reason)
        for payment in _payments_of(order_ids)
        if payment.status not in ENDED
    ]


def _void_or_refund(payment: Payment, *, reason: str) -> GatewayRequest:
    refund = None
    if payment.captured_amount > payment.refunded_amount:
        refund = refunds.open_for_rest(payment, reason=reason)
    call = partial(void_or_refund, open_refund=refund)
    if payment.asked_at is None:
        return GatewayRequest(payment, VOID_OR_REFUND, call)
    return _request(payment, VOID_OR_REFUND, call)


def _payments_of(order_ids: Iterable[UUID]) -> QuerySet[Payment]:
    """All attempts of these orders, with the columns that a request is made of."""
    return Payment.objects.filter(order_id__in=list(order_ids)).defer("created_at", "updated_at")


@dataclass(frozen=True, slots=True)
class _Admission:
    """The gateway that admitted a request, or why the circuit breaker turned it away."""

    gateway: Gateway | None = None
    turned_away: str = ""


def _request(
    payment: Payment, purpose: str, call: Call, *, admission: _Admission | None = None
) -> GatewayRequest:
    if payment.amount == 0:
        return GatewayRequest(payment, purpose, call)  # nothing to pay: the gateway is not asked
    admission = admission or _admit()
    return GatewayRequest(payment, purpose, call, admission.gateway, admission.turned_away)


def _admit() -> _Admission:
    try:
        return _Admission(get_gateway().admit())
    except GatewayCircuitOpen as circuit_open:
        return _Admission(turned_away=named(circuit_open))


def _admissions_of_new(order_ids: list[UUID]) -> dict[UUID, _Admission]:
    """For each payment about which the gateway was never asked, by the payment's id."""
    new = Payment.objects.filter(
        order_id__in=order_ids, live=True, asked_at__isnull=True, status=S.CREATED, amount__gt=0
    )
    return {pk: _admit() for pk in new.values_list("pk", flat=True)}


def _write_ahead(payment_ids: list[UUID]) -> None:
    """Store that the gateway may know these payments from now on: an undo has to ask."""
    if payment_ids:
        Payment.objects.filter(
            pk__in=payment_ids, live=True, asked_at__isnull=True, status=S.CREATED
        ).update(asked_at=Now())
