"""Returns: announced by the shopper, then received or refused by staff, then refunded.

    request_return   announced: nothing moves yet
    receive_return   arrived: of each line some units, or all, are accepted; of these some may be
                     damaged. Accepted units are refunded; those that are not damaged go back in
                     stock
    refuse_return    nothing of it is accepted, and the shopper is told why

A returned unit is worth what was paid for it: its part of its line's price less discount, with the
line's own tax (apps/orders/paid.py). Shipping and its tax are not refunded. What is owed is written
to the return's lines at their receipt. The refund is that, or what is left of the payment where
staff have sent money back before: never more than was paid, never less while money is left.

An order may have several returns. While one is announced, the order is in RETURN_INITIATED. When
the last announced one is decided it is in RETURNED if any unit ever came back, else in DELIVERED
again. From both, what was never announced may be announced as well; a unit is announced once, so
that a refusal is not asked for again and again.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Sum
from django.db.models.functions import Coalesce, Now

from apps.catalog.models import Variant
from apps.inventory import stock
from apps.inventory.models import Hold, StockItem, StockMovement
from apps.notifications import outbox
from apps.orders import paid, refund_words, return_emails, transitions
from apps.orders.errors import ReturnRefused, WrongUnits
from apps.orders.models import Order, OrderLine, Return, ReturnLine
from apps.orders.status import RETURNABLE
from apps.orders.transitions import Transition
from apps.payments import refunds
from apps.payments.models import Payment

logger = logging.getLogger(__name__)

S = Order.Status
MESSAGE_MAX = 255  # characters of an event's message
ANSWER_MAX = 300  # of what the shopper is told in mail and on the page
NOTHING_TO_REFUND = "Your return has arrived. There was nothing left to pay back."
IN_PART = "Your return has arrived. We could accept a part of it."
REFUSED = "We could not accept your return."


@dataclass(frozen=True, slots=True)
class Received:
    """Of one line of a return: how many units are accepted, and how many of those are damaged."""

    accepted: int
    damaged: int = 0


def request_return(order_id: UUID, *, lines: Sequence[tuple[str, int]], reason: str) -> Return:
    """Announce a return of `lines`, as (sku, quantity). Raises ReturnRefused and writes nothing."""
    with transaction.atomic():
        # Without this lock two tabs return the same unit twice.
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status not in RETURNABLE:
            raise ReturnRefused([("", "not_returnable", "Only a delivered order can be returned.")])
        wanted: dict[str, int] = {}
        for sku, quantity in lines:
            wanted[sku] = wanted.get(sku, 0) + quantity
        bought = {line.sku: line for line in order.lines.all()}
        errors = _errors(wanted, bought)
        if errors:
            raise ReturnRefused(errors)
        earlier = order.returns.aggregate(n=Max("sequence"))["n"] or 0
        announced = Return.objects.create(order=order, reason=reason[:500], sequence=earlier + 1)
        ReturnLine.objects.bulk_create(
            ReturnLine(of_return=announced, line=bought[sku], quantity=quantity)
            for sku, quantity in wanted.items()
        )
        transitions.make([Transition(order_id, S.RETURN_INITIATED)])
        outbox.put([return_emails.return_announced(announced)])
    return announced


def receive_return(
    return_id: UUID,
    *,
    actor: str,
    units: Mapping[int, Received] | None = None,
    answer: str = "",
) -> bool:
    """The goods have arrived: restock, refund, mail. False when it was decided before.

    units: by the id of the return's line; a line that is not named is accepted whole. At least one
    unit must be accepted: else refuse it. answer: what the shopper is told, needed where less than
    all is accepted. Raises WrongUnits and writes nothing.
    """
    with transaction.atomic():
        announced, order, payment = _locked(return_id)
        lines = list(announced.lines.select_related("line").order_by("pk"))
        _count(lines, units or {}, answer=answer)
        if not _decide(announced, state=Return.State.RECEIVED, answer=answer):
            return False
        _restock(order, lines, actor=actor)
        # Staff may have refunded some of it already; the goods are received all the same.
        amount = min(_owe(order, lines), max(refunds.refundable(payment), 0))
        if amount:
            refunds.request_refund(
                order.pk,
                amount=amount,
                purpose=refund_words.of_return(announced.pk),
                reason=announced.reason,
                actor=actor,
            )
        in_part = any(line.accepted != line.quantity for line in lines)
        note = f"{IN_PART} {announced.answer}" if in_part else ""
        _tell(order, note, or_else="" if amount else NOTHING_TO_REFUND, actor=actor)
        outbox.put([return_emails.return_received(announced, refund_amount=amount)])
    return True


def refuse_return(return_id: UUID, *, actor: str, answer: str) -> bool:
    """Nothing of it is accepted: no unit is booked, no money goes back, the shopper is told why.

    False when it was decided before. Raises WrongUnits when `answer` is empty.
    """
    with transaction.atomic():
        announced, order, _payment = _locked(return_id)
        lines = list(announced.lines.all())
        if not answer.strip():
            raise WrongUnits("", "Say why: the shopper reads it.")
        if not _decide(announced, state=Return.State.REFUSED, answer=answer):
            return False
        for line in lines:
            line.accepted = 0
        ReturnLine.objects.bulk_update(lines, ["accepted"])
        _tell(order, f"{REFUSED} {announced.answer}", actor=actor)
        outbox.put([return_emails.return_refused(announced)])
    return True


def _locked(return_id: UUID) -> tuple[Return, Order, Payment]:
    """The return with its order and payment, which are locked.

    The payment before the order: what records a refund writes the order's event under it.
    """
    announced = Return.objects.get(pk=return_id)
    payment = Payment.objects.select_for_update(no_key=True).get(
        order_id=announced.order_id, live=True
    )
    order = Order.objects.select_for_update().get(pk=announced.order_id)
    announced.order = order
    return announced, order, payment


def _decide(announced: Return, *, state: Return.State, answer: str) -> bool:
    """Close the return, once: of two decisions the second finds that it is not open any more."""
    announced.answer = answer.strip()[:ANSWER_MAX]
    moment = "received_at" if state == Return.State.RECEIVED else "refused_at"
    still_open = Return.objects.filter(pk=announced.pk, state=Return.State.REQUESTED)
    return bool(still_open.update(state=state, answer=announced.answer, **{moment: Now()}))


def _count(lines: Sequence[ReturnLine], units: Mapping[int, Received], *, answer: str) -> None:
    """Write to the lines how many units were accepted. Raises WrongUnits."""
    if unknown := units.keys() - {line.pk for line in lines}:
        raise WrongUnits("", f"No such line of this return: {sorted(unknown)}.")
    for line in lines:
        told = units.get(line.pk, Received(line.quantity))
        if not 0 <= told.accepted <= line.quantity:
            raise WrongUnits(line.pk, f"Between 0 and {line.quantity} were announced.")
        if not 0 <= told.damaged <= told.accepted:
            raise WrongUnits(line.pk, f"Of the {told.accepted} accepted at most all are damaged.")
        line.accepted, line.damaged = told.accepted, told.damaged
    if not any(line.accepted for line in lines):
        raise WrongUnits("", "Nothing of it is accepted: refuse the return instead.")
    if any(line.accepted != line.quantity for line in lines) and not answer.strip():
        raise WrongUnits("", "Say why not all is accepted: the shopper reads it.")


def _tell(order: Order, note: str, *, or_else: str = "", actor: str) -> None:
    """The order's move after a decision; its event says `note`, or without one `or_else`.

    While another return is announced the order stays where it is, and only a note is told. An order
    that nothing came back from is delivered again, as if the return had not been announced.
    """
    note = note if len(note) <= MESSAGE_MAX else note[: MESSAGE_MAX - 1] + "…"
    if order.returns.filter(state=Return.State.REQUESTED).exists():
        if note:
            transitions.note(order.pk, note, actor=actor)
        return
    came_back = order.returns.filter(state=Return.State.RECEIVED).exists()
    to = S.RETURNED if came_back else S.DELIVERED
    transitions.make([Transition(order.pk, to, note or or_else)], actor=actor)


def _restock(order: Order, lines: Sequence[ReturnLine], *, actor: str) -> None:
    """Put the accepted units of a return's lines back in stock, without the damaged ones."""
    skus = skus_today(order)
    whole = {line: (line.accepted or 0) - line.damaged for line in lines}
    _lock_stock([skus[line.line_id] for line in lines if line.line_id in skus])
    for line, count in whole.items():
        if not count:
            continue
        if line.line_id not in skus:
            # The refund must not wait for it; staff book the units by hand.
            logger.warning("%s: no stock item for %s", order.number, line)
            continue
        stock.receive(
            sku=skus[line.line_id],
            quantity=count,
            kind=StockMovement.Kind.RETURNED,
            reason=f"return of {order.number}",
            actor=actor,
            order_id=order.pk,
        )


def _owe(order: Order, lines: Sequence[ReturnLine]) -> int:
    """Write the lines of a received return with what was paid for accepted units; the sum."""
    bought = list(order.lines.all())
    amounts = dict(zip((line.pk for line in bought), paid.amounts_of(order, bought), strict=True))
    received = ReturnLine.objects.filter(
        of_return__order=order, of_return__state=Return.State.RECEIVED
    ).exclude(pk__in=[line.pk for line in lines])
    # Null: received by the release before, which accepted all.
    units = Coalesce(F("accepted"), F("quantity"))
    before = dict(received.values_list("line").annotate(n=Sum(units)))
    for line in lines:
        line.refund_amount = paid.part(
            amounts[line.line_id].paid,
            of=line.line.quantity,
            before=before.get(line.line_id, 0),
            now=line.accepted or 0,
        )
    ReturnLine.objects.bulk_update(lines, ["accepted", "damaged", "refund_amount"])
    return sum(line.refund_amount or 0 for line in lines)


def skus_today(order: Order) -> dict[int, str]:
    """By line id, the SKU of its goods now. A line that cannot be told from others is left out.

    A line keeps the SKU that was bought. Since then the SKU may have been renamed, or given to
    another variant. The order's holds refer to the variant itself.
    """
    lines = list(order.lines.all())
    held: Counter[str] = Counter()
    holds = Hold.objects.filter(order_id=order.pk)
    for sku, quantity in holds.values_list("stock_item__variant__sku", "quantity"):
        held[sku] += quantity
    if not held:
        named = Variant.objects.filter(sku__in=[line.sku for line in lines])
        known = set(named.values_list("sku", flat=True))
        return {line.pk: line.sku for line in lines if line.sku in known}
    found = {line.pk: line.sku for line in lines if held.pop(line.sku, None) is not None}
    renamed = [line for line in lines if line.pk not in found]
    for line in renamed:
        rest = [sku for sku, quantity in held.items() if quantity == line.quantity]
        alike = [other for other in renamed if other.quantity == line.quantity]
        if len(rest) == len(alike) == 1:
            found[line.pk] = rest[0]
    return found


def _lock_stock(skus: Sequence[str]) -> None:
    """By ascending id, as everywhere: else two returns of the same SKUs could deadlock."""
    items = StockItem.objects.select_for_update(no_key=True).filter(variant__sku__in=skus)
    list(items.order_by("pk").values_list("pk"))


def returnable(order: Order) -> dict[str, int]:
    """Units by SKU that may still be announced."""
    return {line.sku: line.quantity - _announced(line) for line in order.lines.all()}


def _announced(line: OrderLine) -> int:
    return line.returned.aggregate(n=Sum("quantity"))["n"] or 0


def _errors(wanted: dict[str, int], bought: dict[str, OrderLine]) -> list[tuple[str, str, str]]:
    if not wanted:
        return [("lines", "required", "Name at least one item.")]
    errors = []
    for sku, quantity in wanted.items():
        if sku not in bought:
            errors.append((sku, "not_bought", f"{sku} is not part of this order."))
            continue
        left = bought[sku].quantity - _announced(bought[sku])
        if not 0 < quantity <= left:
            errors.append((sku, "too_many", f"{left} of {sku} can be returned."))
    return errors
