"""Returns: announced by the shopper, received by the warehouse, then refunded.

A returned unit is worth what was paid for it: its part of its line's price less discount, with the
line's own tax (apps/orders/paid.py). Shipping and its tax are not refunded. What is owed is written
to the return's lines at their receipt. The refund is that, or what is left of the payment where
staff have sent money back before: never more than was paid, never less while money is left.

An order may have several returns. While one is announced, the order is in RETURN_INITIATED; when
the last announced one has arrived, in RETURNED. From there what is left may be announced as well.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Sum
from django.db.models.functions import Now

from apps.catalog.models import Variant
from apps.inventory import stock
from apps.inventory.models import Hold, StockItem, StockMovement
from apps.notifications import outbox
from apps.orders import paid, refund_words, return_emails, transitions
from apps.orders.errors import ReturnRefused
from apps.orders.models import Order, OrderLine, Return, ReturnLine
from apps.orders.status import RETURNABLE
from apps.orders.transitions import Transition
from apps.payments import refunds
from apps.payments.models import Payment

logger = logging.getLogger(__name__)

S = Order.Status
NOTHING_TO_REFUND = "Your return has arrived. There was nothing left to pay back."


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


def receive_return(return_id: UUID, *, actor: str) -> bool:
    """The goods have arrived: restock, refund, mail. False when it was received before."""
    with transaction.atomic():
        announced = Return.objects.get(pk=return_id)
        # The payment before the order: what records a refund writes the order's event under it.
        payment = Payment.objects.select_for_update(no_key=True).get(order_id=announced.order_id)
        order = Order.objects.select_for_update().get(pk=announced.order_id)
        first = Return.objects.filter(pk=return_id, state=Return.State.REQUESTED).update(
            state=Return.State.RECEIVED, received_at=Now()
        )
        if not first:
            return False
        announced.order = order
        lines = list(announced.lines.select_related("line"))
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
        if not order.returns.filter(state=Return.State.REQUESTED).exists():
            message = "" if amount else NOTHING_TO_REFUND
            transitions.make([Transition(order.pk, S.RETURNED, message)], actor=actor)
        outbox.put([return_emails.return_received(announced, refund_amount=amount)])
    return True


def _restock(order: Order, lines: Sequence[ReturnLine], *, actor: str) -> None:
    """Put the units of a return's lines back in stock."""
    skus = skus_today(order)
    _lock_stock([skus[line.line_id] for line in lines if line.line_id in skus])
    for line in lines:
        if line.line_id not in skus:
            # The refund must not wait for it; staff book the units by hand.
            logger.warning("%s: no stock item for %s", order.number, line)
            continue
        stock.receive(
            sku=skus[line.line_id],
            quantity=line.quantity,
            kind=StockMovement.Kind.RETURNED,
            reason=f"return of {order.number}",
            actor=actor,
            order_id=order.pk,
        )


def _owe(order: Order, lines: Sequence[ReturnLine]) -> int:
    """Write to the lines of a received return what was paid for their units; the sum of it."""
    bought = list(order.lines.all())
    amounts = dict(zip((line.pk for line in bought), paid.amounts_of(order, bought), strict=True))
    received = ReturnLine.objects.filter(
        of_return__order=order, of_return__state=Return.State.RECEIVED
    ).exclude(pk__in=[line.pk for line in lines])
    before = dict(received.values_list("line").annotate(n=Sum("quantity")))
    for line in lines:
        line.refund_amount = paid.part(
            amounts[line.line_id].paid,
            of=line.line.quantity,
            before=before.get(line.line_id, 0),
            now=line.quantity,
        )
    ReturnLine.objects.bulk_update(lines, ["refund_amount"])
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
