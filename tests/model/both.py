"""The real shop and the shop on paper: how they are set up, compared, and brought to an end.

`BothShops` is what the rules work on. After each rule both are compared, and the audit's
safety invariants hold. At the end all get what is due: then nothing is under way, the
invariants of liveness hold, and the gateway's books match ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from hypothesis.stateful import RuleBasedStateMachine, invariant

from apps.cart import carts
from apps.customers.models import User
from apps.flash_sales import active_sales
from apps.inventory import stock
from apps.inventory.models import Hold, StockItem
from apps.notifications.models import Notification
from apps.orders import audit
from apps.orders.intake import Accepted, CheckoutRequest
from apps.orders.models import Order, OrderEvent, Saga, SagaStep
from apps.orders.saga import engine, review
from apps.payments import inbox, refunds
from apps.payments.models import Payment, Refund, WebhookInbox
from apps.promos.models import Promo
from apps.shipping import rates as shipping_rates
from apps.shipping.models import Shipment
from apps.taxes import rates as tax_rates
from tests.emptying import empty_tables
from tests.factories import (
    ADDRESS,
    PromoFactory,
    a_kettle,
    a_mug,
    a_sales_tax,
    make_alice,
    make_bob,
    ship_everywhere,
)
from tests.model import ledger, paper_order
from tests.model.ledger import CODES, Paper, StockRow
from tests.model.paper_order import Sale, Wish
from tests.model.workers import Fates, Frozen
from tests.orders.checkouts import together
from tests.orders.purchases import Shop

MUG, KETTLE = "MUG", "KETTLE"
PRICES, IN_STOCK = {MUG: 1800, KETTLE: 8900}, {MUG: 8, KETTLE: 4}
EMAILS = {"alice": "alice@example.com", "bob": "bob@example.com", "guest": "Alice@Example.com"}
PAST = "2020-01-01T00:00Z"


@dataclass
class PaperCart:
    """A cart as its shopper remembers it."""

    view: carts.CartView
    lines: dict[str, int]
    codes: tuple[str, ...] = ()


class BothShops(RuleBasedStateMachine):
    """The two shops of one story, with full stock at first. The real one is the test's."""

    shop: ClassVar[Shop]
    fates: ClassVar[Fates]
    empty_all_redis: ClassVar[Callable[[], None]]

    def __init__(self) -> None:
        super().__init__()
        self.shop.sandbox.control("reset", {"endpoints": True})
        empty_tables()
        self._empty_redis()
        shipping_rates.forget()
        tax_rates.forget()
        ship_everywhere(price=ledger.SHIPPING)
        a_sales_tax(rate_bp=ledger.TAX_BP)
        variants = [
            make(sku=sku, price=PRICES[sku], stock=IN_STOCK[sku])
            for sku, make in ((MUG, a_mug), (KETTLE, a_kettle))
        ]
        self.skus = {variant.pk: variant.sku for variant in variants}
        for code, terms in CODES.items():
            PromoFactory(
                code=code,
                kind="free_shipping"
                if terms.free_shipping
                else "percentage"
                if terms.off
                else "fixed",
                percent_bp=terms.off,
                amount=terms.amount,
                stackable=terms.stackable,
                total_limit=terms.total_limit,
                customer_limit=terms.customer_limit,
            )
        self.users = {"alice": make_alice(), "bob": make_bob()}
        self.paper = Paper({sku: StockRow(PRICES[sku], IN_STOCK[sku]) for sku in PRICES})
        self.carts: dict[str, PaperCart] = {}
        for shopper in EMAILS:
            self._take_cart(shopper)
        self.frozen: list[Frozen] = []
        self.lines_read = 0
        self.purposes = 0
        self.leases = self.posted = self.tried_too_often = self.a_day_later = False
        self.outage = 0  # lasts for so many more rules

    # --- Comparing -----------------------------------------------------------------------------

    @invariant()
    def compare(self) -> None:
        if self.outage:
            self.outage -= 1
            if not self.outage:
                self.shop.sandbox.faults()
        self.audit_finds_nothing()
        self.shop_is_as_on_paper()

    def audit_finds_nothing(self) -> None:
        wrong = [finding for finding in audit.check(liveness=False) if not finding.holds]
        assert not wrong, "\n".join(str(finding) for finding in wrong)

    def shop_is_as_on_paper(self) -> None:
        self.read_the_log()
        self._compare_stock()
        self._compare_orders()
        self._compare_money()
        self._compare_carts()

    def read_the_log(self) -> None:
        """What the workers wrote since last time; what else the paper learns from the shop."""
        sales = {sale.order_id: sale for sale in self.paper.sales}
        for line in SagaStep.objects.filter(id__gt=self.lines_read).order_by("id"):
            self.lines_read = line.pk
            self.paper.read(
                sales[line.saga_id], line.step, line.direction, line.outcome, line.detail
            )
        for payment in Payment.objects.filter(live=True):
            self._learn_from(payment, sales[payment.order_id])
        for refund in Refund.objects.select_related("payment"):
            sale = sales[refund.payment.order_id]
            assert refund.status != "failed", refund.message
            book = sale.refunds
            if refund.purpose.startswith(refunds.CANCELLATION):
                assert sale.turned, f"{sale} goes on, and its money goes back"
                book = sale.called_back
                if refund.purpose not in book:
                    assert refund.amount <= sale.left_to_refund
                    book[refund.purpose] = paper_order.Refund(refund.amount)
            known = book[refund.purpose]
            assert refund.amount == known.amount
            assert refund.status == "succeeded" or not known.settled
            if refund.status == "succeeded" and not known.settled:
                known.settled = True
                if book is sale.refunds:  # of its own refund a cancellation tells itself
                    self.paper.tell_of_refund(sale)

    def _learn_from(self, payment: Payment, sale: Sale) -> None:
        sale.bank_page = sale.bank_page or urlsplit(payment.next_action_url).path
        if payment.captured_amount and not sale.captured:
            # A webhook, or a zombie's answer, told it before the saga did.
            assert sale.capture_was_asked, f"{sale} was never to be captured"
            sale.captured = payment.captured_amount

    def _compare_stock(self) -> None:
        rows = StockItem.objects.values_list("variant_id", "on_hand", "reserved")
        found = {self.skus[pk]: (on_hand, reserved) for pk, on_hand, reserved in rows}
        on_paper = {sku: (s.on_hand, s.reserved) for sku, s in self.paper.stock_rows.items()}
        assert found == on_paper
        assert stock.availability(PRICES) == {
            sku: stock_row.free for sku, stock_row in self.paper.stock_rows.items()
        }
        used = dict(Promo.objects.values_list("code", "used"))
        assert used == {code: self.paper.uses(code) for code in CODES}

    def _compare_orders(self) -> None:
        assert set(Order.objects.values_list("pk", flat=True)) == {
            sale.order_id for sale in self.paper.sales
        }
        orders, sagas = Order.objects.in_bulk(), Saga.objects.in_bulk()
        parcels = dict(Shipment.objects.values_list("order_id", "state"))
        holds = dict(Hold.objects.values_list("order_id", "state"))
        events, mails = (
            grouped(OrderEvent, "id", "status", "seq"),
            grouped(Notification, "id", "kind"),
        )
        for sale in self.paper.sales:
            order, row = orders[sale.order_id], sagas[sale.order_id]
            assert order.total_amount == sale.total, sale
            assert [seq for _, seq in events[sale.order_id]] == [*range(1, order.seq + 1)]
            told = [status for status, _ in events[sale.order_id]]
            statuses = [status for status, _ in groupby(told)]
            assert len(told) - len(statuses) == sale.notes, f"{told}, {sale.notes} notes on paper"
            if sale.asked_meanwhile and statuses[1:2] == ["REQUIRES_ACTION"]:
                # The bank asked at the moment in which the order was cancelled.
                sale.statuses.insert(1, "REQUIRES_ACTION")
                if sale.way == "undone":
                    sale.statuses.insert(2, "PAYMENT_FAILED")
            sale.asked_meanwhile = False
            assert statuses == sale.statuses, f"{statuses}, on paper {sale.statuses}"
            assert order.status == sale.status
            state = {"do": "forward", "undo": "undoing"}.get(sale.way, sale.way)
            assert row.state == ("review" if sale.in_review else state), sale
            assert row.step == sale.step or sale.over, sale
            assert parcels.get(sale.order_id, "") == sale.parcel, sale
            hold = {"held": "active", "sold": "confirmed"}.get(sale.stock)
            assert holds[sale.order_id] in ([hold] if hold else ["released", "restocked"])
            assert Counter(kind for (kind,) in mails[sale.order_id]) == sale.mails, sale

    def _compare_money(self) -> None:
        payments = {paid.order_id: paid for paid in Payment.objects.filter(live=True)}
        at_gateway = by_order(self.shop.intents())
        asked = Counter(Refund.objects.values_list("payment__order_id", "purpose"))
        for sale in self.paper.sales:
            payment, intents = payments[sale.order_id], at_gateway.get(sale.order_id, [])
            assert sum(
                purpose in sale.refunds for order_id, purpose in asked if order_id == sale.order_id
            ) == len(sale.refunds)
            assert payment.captured_amount == sale.captured, sale
            assert payment.refunded_amount == sale.given_back, sale
            assert sale.left_to_refund >= 0
            received = sum(intent["amount_received"] for intent in intents)
            returned = sum(intent["amount_refunded"] for intent in intents)
            assert sale.captured <= received <= sale.total, f"{received} taken for {sale}"
            assert sum(intent["amount_received"] > 0 for intent in intents) <= 1
            assert not received or sale.capture_was_asked, f"taken too early: {sale}"
            assert sale.given_back <= returned, f"{returned} given back of {sale}"
            assert returned <= sum(
                refund.amount for refund in (*sale.refunds.values(), *sale.called_back.values())
            )
            if sale.nothing_kept:
                given_up = Payment.objects.filter(order_id=sale.order_id)
                assert not given_up.exclude(status__in=["voided", "refunded"]).exists(), sale
                assert payment.status in ("voided", "refunded"), sale
                assert received == returned, sale
                assert not any(intent["status"] == "requires_capture" for intent in intents)

    def _compare_carts(self) -> None:
        for shopper, cart in self.carts.items():
            # Not `of_user`, which makes a cart where there is none.
            found = carts.find(cart.view.id, user=self.users.get(shopper), token=cart.view.token)
            assert found.open, shopper
            assert {line.sku: line.quantity for line in found.lines} == cart.lines, shopper
            assert found.promo_codes == cart.codes, shopper

    # --- The end -------------------------------------------------------------------------------

    def teardown(self) -> None:
        """All go on working until nothing is due. After a failure only the threads end."""
        failed = sys.exc_info()[0] is not None
        while self.frozen:
            with contextlib.suppress(BaseException) if failed else contextlib.nullcontext():
                self.frozen.pop().wake()
        if failed:
            return
        self.shop_is_as_on_paper()
        self.shop.sandbox.faults()
        for _ in range(30):
            self._catch_up()
            if not self._anything_open():
                break
        self.audit_finds_nothing()
        self.shop_is_as_on_paper()
        for sale in self.paper.sales:
            assert sale.over, f"{sale} never ends: {self.shop.log(sale.order_id)}"
            assert sale.turned == sale.called_off or not sale.called_off, sale
            assert sale.status != "CANCELLED" if sale.way == "done" else sale.turned
        wrong = self.shop.violations()
        assert not wrong, wrong

    def _catch_up(self) -> None:
        """One round of everything that runs by itself, and of people who do their work."""
        self._leases_end()
        self.shop.hurry()
        self._work()
        for sale in self.paper.sales:
            for event in self._events_of(sale):
                assert self.shop.post_webhook(event) == 200
        while inbox.apply_due():
            pass
        for event in WebhookInbox.objects.filter(state="dead", resolved_at__isnull=True):
            inbox.resolve(event.pk, actor="clerk", reason="look again", again=True)
        refunds.send_due()
        self._work()
        self.read_the_log()
        for sale in self.paper.sales:
            if sale.in_review:
                review.retry(sale.order_id, actor="clerk", reason="all is well again")
                sale.in_review = False
            elif (sale.challenge == "open" or sale.awaits_card) and not sale.over:
                sale.out_of_time = True  # the shopper never comes back
                self.shop.pass_deadline(sale.order_id)

    def _anything_open(self) -> bool:
        self.read_the_log()
        return (
            not all(sale.over for sale in self.paper.sales)
            or Refund.objects.filter(status="requested").exists()
            or WebhookInbox.objects.filter(state="received").exists()
        )

    # --- Doing ---------------------------------------------------------------------------------

    def _order(self, *wishes: Wish) -> bool:
        """Order all in one commit; whether the first was accepted."""
        pairs = [(wish, self._request(wish)) for wish in wishes]
        outcomes = together(*(request for _, request in pairs))
        accepted = [isinstance(outcome, Accepted) for outcome in outcomes]
        # Refused checkouts are checked last: what they wanted is in the others' orders.
        for place in sorted(range(len(pairs)), key=lambda place: not accepted[place]):
            self._answered(*pairs[place], outcomes[place])
        return accepted[0]

    def _answered(self, wish: Wish, request: CheckoutRequest, outcome: Any) -> None:
        if isinstance(outcome, Accepted):
            assert not outcome.replayed
            self.paper.sell(wish, outcome.order_id, request)
        else:
            why = type(outcome).__name__
            assert why in self.paper.refusals(wish), f"{wish} got {outcome!r}"

    def _request(self, wish: Wish) -> CheckoutRequest:
        key = str(uuid4())
        return CheckoutRequest(
            scope=f"user:{wish.user_id}" if wish.user_id else "guest",
            key=key,
            fingerprint=hashlib.sha256(key.encode()).digest(),
            lines=tuple(wish.lines.items()),
            email=wish.email,
            shipping_address=ADDRESS.copy(),
            shipping_method="standard",
            payment_method=wish.card,
            user_id=wish.user_id,
            cart_id=wish.cart,
            promo_codes=wish.codes,
        )

    def _take_cart(self, shopper: str) -> None:
        user: User | None = self.users.get(shopper)
        view = carts.of_user(user) if user else carts.create_guest()
        assert not view.lines and not view.promo_codes
        self.carts[shopper] = PaperCart(view, {})

    def _do(self, work: Callable[[], Any], fate: str, passed: int) -> None:
        """What a worker does; one that dies or freezes does so at the point after `passed`."""
        self.leases |= fate != "lives"
        if fate == "lives":
            work()
        elif fate == "dies":
            self.fates.killed_after(passed, work)
        elif (worker := self.fates.frozen_after(passed, work)) is not None:
            self.frozen.append(worker)

    def _leases_end(self) -> None:
        self.leases = False
        self.shop.end_leases()
        WebhookInbox.objects.filter(state="received").update(due_at=PAST)
        Refund.objects.filter(status="requested").update(due_at=PAST)

    def _work(self) -> None:
        for _ in range(60):
            if not engine.advance():
                return
        raise AssertionError("sagas are due for ever")

    def _events_of(self, sale: Sale) -> list[dict[str, Any]]:
        """The gateway's events about one order, oldest first."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        client = self.shop.sandbox.client()
        tried = Payment.objects.filter(order_id=sale.order_id).values_list("pk", flat=True)
        payment_ids = {str(pk) for pk in tried}
        while True:
            page = client.raw_request("get", "/v1/events", limit=100, **after).data
            found += page["data"]
            if not page["has_more"]:
                break
            after = {"starting_after": page["data"][-1]["id"]}
        return [
            event
            for event in reversed(found)
            if event["type"].startswith(("payment_intent.", "refund."))
            and event["data"]["object"]["metadata"].get("payment_id") in payment_ids
        ]

    def _empty_redis(self) -> None:
        self.empty_all_redis()
        active_sales.assume_none(seconds=3600)


# --- Small tools --------------------------------------------------------------------------------


def grouped(model: Any, by: str, *columns: str) -> dict[UUID, list[tuple[Any, ...]]]:
    """Rows of `columns` by order id, in the order of `by`."""
    rows: dict[UUID, list[tuple[Any, ...]]] = {}
    for order_id, *row in model.objects.order_by(by).values_list("order_id", *columns):
        rows.setdefault(order_id, []).append(tuple(row))
    return Grouped(rows)


class Grouped(dict[UUID, list[tuple[Any, ...]]]):
    def __missing__(self, key: UUID) -> list[tuple[Any, ...]]:
        return []


def by_order(intents: list[dict[str, Any]]) -> Mapping[UUID, list[dict[str, Any]]]:
    found: dict[UUID, list[dict[str, Any]]] = {}
    for intent in intents:
        found.setdefault(UUID(intent["metadata"]["order_id"]), []).append(intent)
    return found
