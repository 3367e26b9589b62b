"""Rules: orders are called off, shipped, returned and refunded; shelves are counted."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from apps.inventory import stock
from apps.orders.errors import NotCancellable, ReturnRefused
from apps.orders.fulfilment import returns, shipping
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.fulfilment.returns import Received
from apps.orders.models import ReturnLine
from apps.payments import refunds
from tests.model import paper_order
from tests.model.both import KETTLE, MUG
from tests.model.paper_order import Sale
from tests.model.picking import Picking
from tests.model.rules import fates, number, pick, refusal, rule, skus


class Fulfilling(Picking):
    """What staff do, and what shoppers do after the order was accepted."""

    # --- Changing one's mind, and shipping ------------------------------------------------------

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def is_called_off(self, which: int) -> None:
        self.read_the_log()
        sale = pick(self.paper.sales, which)
        if not sale.cancellable:
            with refusal(NotCancellable):
                request_cancellation(sale.order_id)
            return
        request_cancellation(sale.order_id)
        sale.called_off = True
        if sale.way == "done":
            sale.turn_back()

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def parcel_leaves(self, which: int) -> None:
        self.read_the_log()
        sale = self.prefer([sale for sale in self.paper.sales if sale.can_leave], which)
        if not sale.can_leave:
            with refusal(shipping.NotReady):
                shipping.hand_to_carrier(sale.order_id, actor="clerk")
            return
        self._leaves(sale)

    def _leaves(self, sale: Sale) -> None:
        shipping.hand_to_carrier(sale.order_id, actor="clerk")
        sale.statuses.append("SHIPPED")
        sale.parcel = "handed_over"
        sale.mails["order_shipped"] += 1

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def parcel_arrives(self, which: int) -> None:
        sale = self.prefer(self.by_status("SHIPPED"), which)
        if sale.status != "SHIPPED":
            with refusal(shipping.NotReady):
                shipping.mark_delivered(sale.order_id, actor="clerk")
            return
        self._arrives(sale)

    def _arrives(self, sale: Sale) -> None:
        shipping.mark_delivered(sale.order_id, actor="clerk")
        sale.statuses.append("DELIVERED")
        sale.parcel = "delivered"

    # --- Money and goods that come back ---------------------------------------------------------

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, share=st.sampled_from(["a cent", "half", "all", "more than all"]))
    def clerk_gives_money_back(self, which: int, share: str) -> None:
        self.read_the_log()
        sale = self.prefer([sale for sale in self.paper.sales if sale.captured], which)
        left = sale.left_to_refund
        amount = {"a cent": 1, "half": left // 2, "all": left, "more than all": left + 1}[share]
        self.purposes += 1
        asked = {
            "amount": amount,
            "purpose": f"admin:{self.purposes}",
            "reason": "a scratch",
            "actor": "clerk",
        }
        if not 0 < amount <= left:
            with refusal(refunds.RefundRefused):
                refunds.request_refund(sale.order_id, **asked)
            return
        sale.refunds[asked["purpose"]] = paper_order.Refund(amount)
        for _ in range(2):  # a double click
            refunds.request_refund(sale.order_id, **asked)

    @precondition(lambda self: self.unsettled())
    @rule(fate=fates, passed=st.integers(0, 5))
    def refunds_are_sent(self, fate: str, passed: int) -> None:
        self._do(refunds.send_due, fate, passed)

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, lines=st.dictionaries(number, st.sampled_from([1, 1, 1, 2, 3]), max_size=2))
    def return_is_announced(self, which: int, lines: dict[int, int]) -> None:
        sale = self.prefer(self.by_status("DELIVERED", "RETURN_INITIATED"), which)
        bought = list(sale.wish.lines) if which else [MUG, KETTLE]
        back = {pick(bought, place): units for place, units in lines.items()}
        may = sale.status in ("DELIVERED", "RETURN_INITIATED") and all(
            units <= sale.returnable(sku) for sku, units in back.items()
        )
        if may and back:
            self._comes_back(sale, back)
        else:
            with refusal(ReturnRefused):
                returns.request_return(sale.order_id, lines=list(back.items()), reason="too big")

    def _comes_back(self, sale: Sale, back: dict[str, int]) -> None:
        made = returns.request_return(sale.order_id, lines=list(back.items()), reason="too big")
        self.paper.announce(sale, paper_order.Return(made.pk, back))

    @precondition(lambda self: any(sale.returns for sale in self.paper.sales))
    @rule(which=number, missing=st.sampled_from([0, 0, 1]), damaged=st.sampled_from([0, 0, 1]))
    def return_is_received(self, which: int, missing: int, damaged: int) -> None:
        """All of it, or of each line one unit less; and of what is accepted one may be broken."""
        self.read_the_log()
        sale, back = self._a_return(which)
        accepted = {sku: max(units - missing, 0) for sku, units in back.lines.items()}
        if not any(accepted.values()):
            accepted = dict(back.lines)
        broken = {sku: min(damaged, units) for sku, units in accepted.items()}
        lines = ReturnLine.objects.filter(of_return=back.id).select_related("line")
        units = {
            line.pk: Received(accepted[line.line.sku], broken[line.line.sku]) for line in lines
        }
        first = returns.receive_return(back.id, actor="clerk", units=units, answer="worn")
        assert first is not back.decided
        if first:
            self.paper.receive(sale, back, accepted, broken)

    @precondition(lambda self: any(sale.returns for sale in self.paper.sales))
    @rule(which=number)
    def return_is_refused(self, which: int) -> None:
        self.read_the_log()
        sale, back = self._a_return(which)
        first = returns.refuse_return(back.id, actor="clerk", answer="worn")
        assert first is not back.decided
        if first:
            self.paper.refuse(sale, back)

    def _a_return(self, which: int) -> tuple[Sale, paper_order.Return]:
        all_returns = [(sale, back) for sale in self.paper.sales for back in sale.returns]
        return pick(all_returns, which)

    @rule(sku=skus, change=st.integers(-4, 3), counted=st.booleans())
    def shelf_changes(self, sku: str, change: int, counted: bool) -> None:
        """Goods arrive, or staff count and find more or less than there should be."""
        stock_row = self.paper.stock_rows[sku]
        about: dict[str, Any] = {"sku": sku, "reason": "Monday", "actor": "clerk"}
        if change >= 0 and not counted:
            stock.receive(quantity=change, **about)
        elif stock_row.free + change < 0:
            with refusal(stock.WouldGoBelowReserved):
                stock.adjust(change=change, **about)
            return
        else:
            stock.adjust(change=change, **about)
        stock_row.on_hand += change
