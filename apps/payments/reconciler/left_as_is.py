"""Differences that staff left as they are, held against the two sides as they are now.

The audit asks here: a decision is good for the form in which the difference was seen.
"""

from collections.abc import Mapping

from apps.payments.gateway import Gateway, GatewayRefund, Intent
from apps.payments.models import Discrepancy, Payment
from apps.payments.reconciler import comparing
from apps.payments.reconciler.findings import OF_REFUNDS
from apps.payments.reconciler.our_books import books_of, named_by, ours_now
from apps.payments.reconciler.refund_sums import refunds_add_up


def still_as_left(
    gateway: Gateway, intent: Intent, rows: Mapping[str, Discrepancy]
) -> dict[str, Discrepancy]:
    """Those `rows` that staff left as they are and that describe `intent` as it is now, by kind.

    A difference with other evidence than the one that staff saw is a new one. Writes nothing.
    """
    there: list[GatewayRefund] = []
    if intent.amount_received:
        there = gateway.retrieve_refunds(intent.id)
    books = books_of(named_by(intent))
    found = comparing.differences(intent, there, before=books, after=books, ours=ours_now())
    same = {
        finding.kind: rows[finding.kind]
        for finding in found
        if finding.kind in rows and rows[finding.kind].evidence == finding.evidence
    }
    new = {finding.kind for finding in found} - set(same)
    # All refunds are compared by one sum: a known difference must not hide another one.
    if new & set(OF_REFUNDS) or not refunds_add_up(intent, there, books):
        same = {kind: row for kind, row in same.items() if kind not in OF_REFUNDS}
    return same


def still_unknown_as_left(
    payment: Payment, rows: Mapping[str, Discrepancy]
) -> dict[str, Discrepancy]:
    """The same for a payment that the gateway does not show."""
    found = comparing.unknown_there(payment)
    row = rows.get(found.kind)
    return {found.kind: row} if row is not None and row.evidence == found.evidence else {}
