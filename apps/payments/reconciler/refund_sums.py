"""The refunds of one payment on both sides: made by others, or lost, and whether the sums agree."""

from collections.abc import Iterable, Sequence

from apps.core.money import for_people
from apps.payments.gateway import GatewayRefund, Intent
from apps.payments.models import Refund
from apps.payments.reconciler.findings import Found, Kind
from apps.payments.reconciler.two_sides import Books

ON_ITS_WAY = ("pending", "requires_action")


def differences_of_refunds(
    intent: Intent, there: Sequence[GatewayRefund], before: Books, after: Books
) -> list[Found]:
    """Refunds that only one side has, each kind as one difference."""
    found = []
    by_others = unknown_refunds(there, after)
    if by_others:
        amount = for_people(sum(sent.amount for sent in by_others), intent.currency)
        evidence = {
            "refunds": [
                {"id": sent.id, "amount": sent.amount, "status": sent.status} for sent in by_others
            ]
        }
        why = f"{amount} went back by no refund of ours, by somebody at the gateway's dashboard."
        found.append(Found(Kind.REFUNDED_THERE, why, evidence))
    # One that failed at the gateway was taken back a moment ago, and is a case of its own.
    kept = {refund.pk for refund in after.refunds if refund.status == Refund.Status.SUCCEEDED}
    lost = [refund for refund in _lost_refunds(there, before) if refund.pk in kept]
    if lost:
        amount = for_people(sum(refund.amount for refund in lost), intent.currency)
        evidence = {"refunds": sorted(str(refund.pk) for refund in lost)}
        why = f"{amount} went back by our books, and not, or not for good, by the gateway's."
        found.append(Found(Kind.REFUND_LOST, why, evidence))
    return found


def unknown_refunds(there: Iterable[GatewayRefund], books: Books) -> list[GatewayRefund]:
    """Refunds at the gateway that are not in our books: made at its dashboard."""
    known = {str(refund.pk) for refund in books.refunds}
    known_there = {refund.gateway_id for refund in books.refunds}
    return [
        sent
        for sent in there
        if sent.status in ("succeeded", *ON_ITS_WAY)
        and sent.metadata.get("refund_id") not in known
        and sent.id not in known_there
    ]


def refunds_add_up(intent: Intent, there: Sequence[GatewayRefund], books: Books) -> bool:
    """Whether refunds by others and lost ones explain the whole difference of the two sums.

    False while a refund of ours has succeeded at the gateway and we do not know it yet.
    """
    if books.payment is None:
        return False
    by_others = sum(sent.amount for sent in unknown_refunds(there, books))
    lost = sum(refund.amount for refund in _lost_refunds(there, books))
    return intent.amount_refunded == books.payment.refunded_amount + by_others - lost


def _lost_refunds(there: Sequence[GatewayRefund], before: Books) -> list[Refund]:
    by_id = {sent.id: sent for sent in there}
    by_ours = {sent.metadata.get("refund_id"): sent for sent in there}
    lost = []
    for refund in before.refunds:
        if refund.status != Refund.Status.SUCCEEDED:
            continue
        sent = by_id.get(refund.gateway_id or "") or by_ours.get(str(refund.pk))
        if sent is None or sent.status in ("failed", "canceled"):
            lost.append(refund)
    return lost
