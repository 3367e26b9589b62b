"""Writes results of the gateway to our books, in the caller's transaction."""

import logging
from collections.abc import Iterable, Mapping
from uuid import UUID

from django.db.models import F
from django.db.models.functions import Now

from apps.core import sql
from apps.payments import refunds
from apps.payments.charging.messages import (
    AUTHORIZE,
    CAPTURE,
    ENDED,
    VOID_OR_REFUND,
    GatewayResult,
)
from apps.payments.facts import PaymentFact
from apps.payments.ledger import settle
from apps.payments.models import GatewayCall, Payment

logger = logging.getLogger(__name__)

S = Payment.Status
LOG_CALLS = """
    INSERT INTO payments_gatewaycall (id, payment_id, purpose, key, outcome, detail, duration_ms)
    SELECT gen_random_uuid(), * FROM json_to_recordset(%s::json) AS n(
        payment_id uuid, purpose text, key text, outcome text, detail text, duration_ms int)
"""


def record(results: Iterable[GatewayResult], *, order_ids: Iterable[UUID]) -> dict[UUID, Payment]:
    """Apply `results`; the live payments of `order_ids`, locked and current, by order id.

    The other attempts of these orders are locked as well (`unsettled`).
    """
    results = list(results)
    for result in results:
        if result.refund is not None:
            refunds.settle(*result.refund)
    ours = Payment.objects.filter(order_id__in=list(order_ids)).values_list("pk", flat=True)
    made_nothing = [result for result in results if result.spent and _asked_long_ago(result)]
    facts = [fact for result in results for fact in result.facts]
    facts += [_voided_as_never_made(result) for result in made_nothing if _ends_undo(result)]
    settled = settle(facts, also=ours)
    exchange_spent_keys(made_nothing, settled.payments)
    _log_calls([result for result in results if not result.turned_away])
    return {p.order_id: p for p in settled.payments.values() if p.live}


def unsettled(order_ids: Iterable[UUID], *, live: bool = True) -> set[UUID]:
    """Those orders of which an attempt may still reserve or keep money; call it after `record`.

    live: whether the live attempt counts as well.
    """
    open_ones = Payment.objects.filter(order_id__in=list(order_ids)).exclude(status__in=ENDED)
    if not live:
        open_ones = open_ones.filter(live=False)
    return set(open_ones.values_list("order_id", flat=True))


def exchange_spent_keys(made_nothing: list[GatewayResult], locked: Mapping[UUID, Payment]) -> None:
    """Give new keys to payments whose key is spent and made nothing; their rows are locked.

    There is never a second charge: the old key can create none any more, and only a payment that
    still stands where the request found it gets a new one. (A capture or a void happens once in any
    case.)
    """
    for result in made_nothing:
        if result.refund_id is not None:
            refunds.exchange_spent_key(result.refund_id, result.key)
            continue
        payment = locked[result.payment_id]
        wanted = {
            payment.key(AUTHORIZE): payment.status == S.CREATED and payment.intent_id is None,
            payment.key(CAPTURE): payment.status == S.AUTHORIZED,
            payment.key("void"): payment.status not in (S.VOIDED, S.CAPTURED, S.REFUNDED),
        }
        if wanted.get(result.key, False):
            logger.warning("payment %s: %s is spent, a new key is taken", payment.pk, result.key)
            Payment.objects.filter(pk=payment.pk).update(generation=F("generation") + 1)
            payment.generation += 1


def _ends_undo(result: GatewayResult) -> bool:
    """Whether an undo asked for the authorization again, under a key that made nothing."""
    return result.purpose == VOID_OR_REFUND and f":{AUTHORIZE}:" in result.key


def _voided_as_never_made(result: GatewayResult) -> PaymentFact:
    return PaymentFact(result.payment_id, S.VOIDED, only_if_no_intent=True)


def _asked_long_ago(result: GatewayResult) -> bool:
    """Whether a call under this key was logged so long ago that it cannot be under way any more."""
    return GatewayCall.objects.filter(
        payment_id=result.payment_id,
        key=result.key,
        created_at__lt=Now() - refunds.NOTHING_COMES_AFTER,
    ).exists()


def _log_calls(results: list[GatewayResult]) -> None:
    if not results:
        return
    calls = (
        {
            "payment_id": result.payment_id,
            "purpose": result.purpose,
            "key": result.key,
            "outcome": _outcome(result),
            "detail": (_failure(result) or _facts(result))[:255],
            "duration_ms": result.duration_ms,
        }
        for result in results
    )
    sql.run(LOG_CALLS, [sql.document(calls)])


def _outcome(result: GatewayResult) -> str:
    if result.broken:
        return "broken"
    if result.contradiction:
        return "contradiction"
    return "retry" if result.transient else "refused" if result.refused else "answered"


def _failure(result: GatewayResult) -> str:
    return result.broken or result.contradiction or result.transient or result.refused


def _facts(result: GatewayResult) -> str:
    lines = [f"{fact.status} {fact.intent_id or ''}".strip() for fact in result.facts]
    if result.refund is not None:
        lines.append(f"refund {result.refund[1].status} {result.refund[1].id}")
    return ", ".join(lines)
