"""Goods that come back: asked for by the shopper, received by the warehouse, then refunded.

What a returned unit is worth is its share of what was really paid for goods and their tax: the
order's total less shipping, shared out over the lines as they were priced. Shipping is not
refunded. Rounding cannot add up to more than was paid: a return's refund is the share of all units
returned so far less what earlier returns got.

Several returns may follow one another. While one is announced the order stands in RETURN_INITIATED,
when the last announced one is back in RETURNED; from there what is left may be announced as well.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from apps.catalog.models import Variant
from apps.inventory import stock
from apps.inventory.models import Hold, StockItem, StockMovement
from apps.notifications import outbox
from apps.orders import letters, moves
from apps.orders.errors import ReturnRefused
from apps.orders.models import Order, OrderLine, Return, ReturnLine
from apps.orders.moves import Move
from apps.payments import refunds
from apps.payments.models import Payment
from storefront import money

logger = logging.getLogger(__name__)

S = Order.Status
RETURNABLE = (S.DELIVERED, S.RETURN_INITIATED, S.RETURNED)


def request_return(order_id: UUID, *, lines: Sequence[tuple[str, int]], reason: str) -> Return:
    """Announce a return of (sku, quantity). Raises ReturnRefused; nothing is written then."""
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
        announced = Return.objects.create(order=order, reason=reason[:500])
        ReturnLine.objects.bulk_create(
            ReturnLine(of_return=announced, line=bought[sku], quantity=quantity)
            for sku, quantity in wanted.items()
        )
        moves.make([Move(order_id, S.RETURN_INITIATED)])
    return announced


def receive_return(return_id: UUID, *, actor: str) -> bool:
    """The goods are back: restock, refund, tell the shopper. False when it was received before."""
    with transaction.atomic():
        announced = Return.objects.select_related("order").get(pk=return_id)
        order = Order.objects.select_for_update().get(pk=announced.order_id)
        first = Return.objects.filter(pk=return_id, state=Return.State.REQUESTED).update(
            state=Return.State.RECEIVED, received_at=Now()
        )
        if not first:
            return False
        lines = list(announced.lines.select_related("line"))
        skus = skus_today(order)
        _lock_shelves([skus[line.line_id] for line in lines if line.line_id in skus])
        for line in lines:
            if line.line_id not in skus:
                # The shopper's money must not wait for it; staff book the units by hand.
                logger.warning("%s: no shelf for %s", order.number, line)
                continue
            stock.receive(
                sku=skus[line.line_id],
                quantity=line.quantity,
                kind=StockMovement.Kind.RETURNED,
                reason=f"return of {order.number}",
                actor=actor,
                order_id=order.pk,
            )
        payment = Payment.objects.select_for_update(no_key=True).get(order_id=order.pk)
        # Staff may have paid some of it back already; the goods are received all the same.
        amount = min(refund_amount(announced), refunds.refundable(payment))
        if amount:
            refunds.request_refund(
                order.pk,
                amount=amount,
                purpose=f"return:{announced.pk}",
                reason=announced.reason,
                actor=actor,
            )
        if not order.returns.filter(state=Return.State.REQUESTED).exists():
            moves.make([Move(order.pk, S.RETURNED)], actor=actor)
        outbox.put([letters.return_received(announced, refund_amount=amount)])
    return True


def refund_amount(announced: Return) -> int:
    """Minor units that this return gives back; see the module for the rule."""
    order = announced.order
    lines = list(order.lines.all())
    paid = money.share_out(
        order.total_amount - order.shipping_amount, [line.line_amount for line in lines]
    )
    earlier = ReturnLine.objects.filter(
        of_return__order=order, of_return__state=Return.State.RECEIVED
    ).exclude(of_return=announced)
    amount = 0
    for line, worth in zip(lines, paid, strict=True):
        before = earlier.filter(line=line).aggregate(n=Sum("quantity"))["n"] or 0
        now = announced.lines.filter(line=line).aggregate(n=Sum("quantity"))["n"] or 0
        amount += worth * (before + now) // line.quantity - worth * before // line.quantity
    return amount


def skus_today(order: Order) -> dict[int, str]:
    """By line, the SKU under which its goods are known now; a line that cannot be told is absent.

    A line keeps the SKU that was bought, and a SKU may be renamed since, or be another thing's by
    now. The order's holds know the variant itself.
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


def _lock_shelves(skus: Sequence[str]) -> None:
    """Ascending id, as everywhere: two returns of the same SKUs in other order would deadlock."""
    shelves = StockItem.objects.select_for_update(no_key=True).filter(variant__sku__in=skus)
    list(shelves.order_by("pk").values_list("pk"))


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
