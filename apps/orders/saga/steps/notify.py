"""The confirmation is put into the outbox; the background worker sends it. Cannot be undone."""

from apps.notifications import outbox
from apps.orders import emails
from apps.orders.saga.step import Claimed, Outcomes, all_done, ids
from apps.payments.charging import GatewayResult


def do(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """One confirmation per order. The outbox accepts each once."""
    outbox.put(emails.confirmations(ids(claimed)))
    return all_done(claimed)
