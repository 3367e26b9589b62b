"""Which of our refunds the gateway's refunds are."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q

from apps.payments.gateway import GatewayRefund
from apps.payments.gateway_amounts import same
from apps.payments.models import Refund

ENDED = ("succeeded", "failed", "canceled")  # how one can have ended; what failed stays failed


def by_gateway_id(sent: Iterable[GatewayRefund]) -> dict[str, Refund]:
    """Our refunds, with their payments, by the gateway's id of each.

    Its metadata names one that we sent; one made at the gateway's dashboard, and adopted, is known
    by the gateway's id alone.
    """
    sent = list(sent)
    named = {refund.id: _uuid(refund.metadata.get("refund_id")) for refund in sent}
    found = Refund.objects.filter(
        Q(pk__in=[pk for pk in named.values() if pk]) | Q(gateway_id__in=list(named))
    ).select_related("payment")
    rows = list(found)
    by_pk = {row.pk: row for row in rows}
    by_id = {row.gateway_id: row for row in rows if row.gateway_id}
    ours = {id: by_pk.get(pk) if pk else by_id.get(id) for id, pk in named.items()}
    return {id: row for id, row in ours.items() if row is not None}


def is_ours(refund: Refund, sent: GatewayRefund) -> bool:
    """Whether the gateway's refund is over the same amount, of the same payment."""
    payment = refund.payment
    return sent.intent_id == payment.intent_id and same(
        sent.amount, refund.amount, payment.currency
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
