"""Everything that people, workers, banks and bad luck do to the shop, in any order.

Each rule does one thing to the real shop (PostgreSQL, Redis, the sandbox over HTTP) and the same to
the shop on paper (ledger.py), and asserts what the shop answers. After each rule both are compared,
and the audit's safety invariants hold. At the end everybody gets what is due: then nothing is under
way, the invariants of liveness hold, and the gateway's books match ours.

A rule picks orders, webhooks and frozen workers by a number, modulo how many there are, and never
by what the clock or an id says: the same numbers are the same story. For the same reason a backoff
lasts an hour here, and only `backoffs_end` ends it.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from django.db.models import F
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from redis import Redis

from apps.cart import carts
from apps.customers.models import User
from apps.inventory import stock
from apps.inventory.models import Hold, StockItem
from apps.notifications.models import Notification
from apps.orders import audit, fulfil, returns, review, saga
from apps.orders.cancel import request_cancellation
from apps.orders.errors import NotCancellable, NotInReview, ReturnRefused
from apps.orders.intake import Accepted, CheckoutRequest
from apps.orders.models import Order, OrderEvent, Saga, SagaStep
from apps.payments import inbox, refunds
from apps.payments.models import Payment, Refund, WebhookInbox
from apps.promos.models import Promo
from apps.sales import on_sale
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
from tests.model import ledger
from tests.model.ledger import ASKS, CARDS, CODES, GOOD, Paper, Sale, Shelf, Wish
from tests.model.workers import Fates, Frozen
from tests.orders.checkouts import together
from tests.orders.purchases import Shop

MUG, KETTLE = "MUG", "KETTLE"
PRICES, ON_SHELF = {MUG: 1800, KETTLE: 8900}, {MUG: 6, KETTLE: 3}
EMAILS = {"alice": "alice@example.com", "bob": "bob@example.com", "guest": "Alice@Example.com"}
MOST_ATTEMPTS = saga.MAX_ATTEMPTS
TROUBLES = ("reset_before", "reset_after", "error_500_before", "error_500_after", "conflict_409")
OPERATIONS = (
    "payment_intents.create",
    "payment_intents.capture",
    "payment_intents.cancel",
    "payment_intents.retrieve",
    "refunds.create",
)
PAST = "2020-01-01T00:00Z"

who = st.sampled_from(["alice", "bob", "guest"])
skus = st.sampled_from([MUG, KETTLE])
cards = st.sampled_from([GOOD, GOOD, ASKS, *CARDS])
codes = st.sampled_from(
    [(), (), ("ONCE",), ("MINE",), ("GIFT",), ("GIFT", "POSTAGE"), ("ONCE", "MINE")]
)
baskets = st.dictionaries(skus, st.integers(1, 3), min_size=1)
number = st.integers(0, 9)
points = st.integers(0, 12)
fates = st.sampled_from(["lives", "lives", "dies", "freezes"])


@dataclass
class PaperCart:
    """A cart as its shopper remembers it."""

    view: carts.CartView
    lines: dict[str, int]
    codes: tuple[str, ...] = ()


class ShopMachine(RuleBasedStateMachine):
    """One story. The shop and the traps are the test's; every story begins with full shelves."""

    shop: ClassVar[Shop]
    fates: ClassVar[Fates]
    redis: ClassVar[Redis]

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
            make(sku=sku, price=PRICES[sku], stock=ON_SHELF[sku])
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
        self.paper = Paper({sku: Shelf(PRICES[sku], ON_SHELF[sku]) for sku in PRICES})
        self.carts: dict[str, PaperCart] = {}
        for shopper in EMAILS:
            self._take_cart(shopper)
        self.frozen: list[Frozen] = []
        self.lines_read = 0
        self.purposes = 0
        self.outage = self.leases = self.posted = False  # is there any

    # --- Filling a cart ------------------------------------------------------------------------

    @rule(shopper=who, sku=skus, units=st.integers(1, 4))
    def adds_to_cart(self, shopper: str, sku: str, units: int) -> None:
        cart = self.carts[shopper]
        wanted = cart.lines.get(sku, 0) + units
        if wanted > self.paper.shelves[sku].free:
            with refusal(carts.InsufficientStock):
                carts.add(cart.view, sku, units)
        else:
            cart.view = carts.add(cart.view, sku, units)
            cart.lines[sku] = wanted

    @rule(shopper=who, sku=skus, units=st.integers(0, 4))
    def changes_a_line(self, shopper: str, sku: str, units: int) -> None:
        cart = self.carts[shopper]
        if units > self.paper.shelves[sku].free:
            with refusal(carts.InsufficientStock):
                carts.set_line(cart.view, sku, units)
        else:
            cart.view = carts.set_line(cart.view, sku, units)
            cart.lines[sku] = units
            if not units:
                del cart.lines[sku]

    @rule(shopper=who, wanted=codes)
    def enters_codes(self, shopper: str, wanted: tuple[str, ...]) -> None:
        cart = self.carts[shopper]
        cart.view = carts.set_promos(cart.view, wanted)
        cart.codes = wanted

    @rule()
    def guest_signs_in_as_bob(self) -> None:
        guest, bob = self.carts["guest"], self.carts["bob"]
        bob.view = carts.merge(guest.view, self.users["bob"])
        bob.lines = ledger.merged(bob.lines, guest.lines)
        bob.codes = ledger.together(bob.codes, guest.codes)
        with refusal(carts.CartNotFound):
            carts.find(guest.view.id, token=guest.view.token)
        self._take_cart("guest")

    @precondition(lambda self: self.sales_of_carts())
    @rule(which=number)
    def puts_a_cancelled_order_into_the_cart_again(self, which: int) -> None:
        sale = pick(self.sales_of_carts(), which)
        shopper = next(name for name, user in self.users.items() if user.pk == sale.wish.user_id)
        if sale.status != "CANCELLED":
            return
        assert sale.wish.cart is not None
        cart = self.carts[shopper]
        cart.view = carts.reopen(sale.wish.cart, user=self.users[shopper])
        cart.lines = ledger.merged(cart.lines, sale.wish.lines)
        cart.codes = ledger.together(cart.codes, sale.wish.codes)

    @rule()
    def redis_forgets_everything(self) -> None:
        self._empty_redis()
        with refusal(carts.CartNotFound):
            carts.find(self.carts["guest"].view.id, token=self.carts["guest"].view.token)
        self._take_cart("guest")

    # --- Ordering ------------------------------------------------------------------------------

    @rule(shopper=who, card=cards)
    def orders_the_cart(self, shopper: str, card: str) -> None:
        cart = self.carts[shopper]
        user = self.users.get(shopper)
        wish = Wish(
            EMAILS[shopper],
            dict(cart.lines),
            cart.codes,
            card,
            cart=cart.view.id,
            user_id=user.pk if user else None,
        )
        if self._order(wish) and user is not None:
            closed = carts.find(cart.view.id, user=user)
            assert not closed.open
            with refusal(carts.CartClosed):
                carts.set_line(closed, MUG, 1)
            self._take_cart(shopper)

    @precondition(lambda self: any(sale.wish.cart for sale in self.paper.sales))
    @rule(which=number, card=cards)
    def orders_the_same_cart_in_another_tab(self, which: int, card: str) -> None:
        sale = pick([sale for sale in self.paper.sales if sale.wish.cart], which)
        self._order(replace(sale.wish, card=card))

    @rule(shopper=who, lines=baskets, wanted=codes, card=cards)
    def buys_now(self, shopper: str, lines: dict[str, int], wanted: Any, card: str) -> None:
        self._order(Wish(EMAILS[shopper], lines, wanted, card))

    @rule(wishes=st.lists(st.tuples(who, baskets, codes, cards), min_size=2, max_size=4))
    def many_buy_in_the_same_moment(self, wishes: Any) -> None:
        """One commit for all of them, in which one may get what another one wanted."""
        self._order(*(Wish(EMAILS[shopper], *rest) for shopper, *rest in wishes))

    @rule(shopper=who, lines=baskets, wanted=codes, card=cards, passed=st.integers(0, 1))
    def web_process_dies_while_accepting(
        self, shopper: str, lines: dict[str, int], wanted: Any, card: str, passed: int
    ) -> None:
        """Nobody hears an answer. She presses again, and has one order or none."""
        wish = Wish(EMAILS[shopper], lines, wanted, card)
        request = self._request(wish)
        self.fates.killed_after(passed, lambda: together(request))
        written = Order.objects.exclude(pk__in=[s.order_id for s in self.paper.sales]).first()
        if written is not None:
            assert passed == 1, "accepted, although the process died before the commit"
            self.paper.sell(wish, written.pk, request)
        (again,) = together(request)
        if written is not None:
            assert isinstance(again, Accepted) and again.replayed
            assert again.order_id == written.pk
        else:
            self._answered(wish, request, again)

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, other_body=st.booleans())
    def presses_again(self, which: int, other_body: bool) -> None:
        sale = pick(self.paper.sales, which)
        if other_body:
            (heard,) = together(replace(sale.request, fingerprint=b"x" * 32))
            assert type(heard).__name__ == "IdempotencyKeyReused"
        else:
            (heard,) = together(sale.request)
            assert isinstance(heard, Accepted) and heard.replayed
            assert heard.order_id == sale.order_id

    # --- Working -------------------------------------------------------------------------------

    @precondition(lambda self: self.under_way())
    @rule()
    def worker_does_one_round(self) -> None:
        saga.advance()

    @precondition(lambda self: self.under_way())
    @rule(fate=fates, passed=points)
    def worker_does_all_that_is_due(self, fate: str, passed: int) -> None:
        self._do(self._work, fate, passed)

    @precondition(lambda self: self.frozen)
    @rule(which=number)
    def frozen_worker_wakes(self, which: int) -> None:
        worker = pick(self.frozen, which)
        self.frozen.remove(worker)
        worker.wake()

    @precondition(lambda self: self.leases)
    @rule()
    def leases_end(self) -> None:
        """Of dead workers, of frozen ones, and of slow ones: nobody can tell them apart."""
        self.leases = False
        self.shop.end_leases()
        WebhookInbox.objects.filter(state="received").update(due_at=PAST)
        Refund.objects.filter(status="requested").update(due_at=PAST)

    @precondition(lambda self: self.under_way())
    @rule()
    def backoffs_end(self) -> None:
        self.shop.hurry()

    @precondition(lambda self: self.under_way())
    @rule(which=number)
    def was_tried_too_often(self, which: int) -> None:
        """The next claim of this order is one too many."""
        sale = pick(self.under_way(), which)
        Saga.objects.filter(pk=sale.order_id).update(attempts=MOST_ATTEMPTS)

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, verb=st.sampled_from(["retry", "undo"]))
    def person_decides(self, which: int, verb: str) -> None:
        self.read_the_log()
        sale = pick(self.paper.sales, which)
        decide = getattr(review, verb)
        if not sale.in_review:
            with refusal(NotInReview):
                decide(sale.order_id, actor="clerk", reason="looked at it")
            return
        decide(sale.order_id, actor="clerk", reason="looked at it")
        sale.in_review = False
        if verb == "undo":
            sale.called_off = True
            if sale.way == "do":
                sale.turn_back()

    # --- Paying --------------------------------------------------------------------------------

    @precondition(lambda self: self.challenged() and not self.outage)
    @rule(which=number, decision=st.sampled_from(["approve", "approve", "refuse"]))
    def answers_her_bank(self, which: int, decision: str) -> None:
        sale = pick(self.challenged(), which)
        self.shop.sandbox.raw("POST", sale.bank_page, f"decision={decision}", key="")
        (intent,) = self.shop.intents(sale.order_id)
        if sale.challenge == "open":
            if intent["status"] == "canceled":
                sale.challenge = "late"
            else:
                sale.challenge = "approved" if decision == "approve" else "refused"

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule(which=number)
    def bank_lets_the_authorization_go(self, which: int) -> None:
        sale = pick(self.paper.sales, which)
        for intent in self.shop.intents(sale.order_id):
            if intent["status"] == "requires_capture":
                self.shop.sandbox.client().v1.payment_intents.cancel(intent["id"])
                sale.lapsed = True

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, fault=st.sampled_from(TROUBLES), operation=st.sampled_from(OPERATIONS))
    def gateway_stumbles_over_an_order(self, which: int, fault: str, operation: str) -> None:
        """The next call of this kind; an earlier stumble that did not happen is forgotten."""
        about = {"order_id": str(pick(self.paper.sales, which).order_id)}
        self.outage = False
        self.shop.sandbox.faults(
            {"fault": fault, "operations": [operation], "metadata": about, "count": 1}
        )

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule()
    def gateway_goes_away(self) -> None:
        self.outage = True
        self.shop.sandbox.faults({"fault": "outage"})

    @precondition(lambda self: self.outage)
    @rule()
    def gateway_comes_back(self) -> None:
        self.outage = False
        self.shop.sandbox.faults()

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule(which=number, event=number, copies=st.integers(1, 2))
    def webhook_arrives(self, which: int, event: int, copies: int) -> None:
        """Any of the order's, in any order, twice at will. Those never drawn never arrive."""
        events = self._events_of(pick(self.paper.sales, which))
        self.posted = bool(events)
        for _ in range(copies if events else 0):
            assert self.shop.post_webhook(pick(events, event)) == 200

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule(which=number)
    def all_webhooks_of_an_order_arrive(self, which: int) -> None:
        self.posted = True
        for event in self._events_of(pick(self.paper.sales, which)):
            assert self.shop.post_webhook(event) == 200

    @precondition(lambda self: self.posted)
    @rule(fate=fates, passed=st.integers(0, 3))
    def webhooks_are_applied(self, fate: str, passed: int) -> None:
        self.posted = False
        self._do(inbox.apply_due, fate, passed)

    # --- Time ----------------------------------------------------------------------------------

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def deadline_passes(self, which: int) -> None:
        sale = pick(self.paper.sales, which)
        sale.out_of_time = True
        self.shop.pass_deadline(sale.order_id)

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule()
    def day_passes(self) -> None:
        """The gateway forgets its keys; whatever is still open is out of time."""
        self.shop.sandbox.control("clock", {"advance_s": 25 * 3600})
        Payment.objects.filter(asked_at__isnull=False).update(
            asked_at=F("asked_at") - saga.PATIENCE * 5
        )
        Refund.objects.update(created_at=F("created_at") - saga.PATIENCE * 5)
        for sale in self.under_way():
            sale.out_of_time = True
            self.shop.pass_deadline(sale.order_id)

    # --- Changing one's mind, and shipping -----------------------------------------------------

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
        sale = pick(self.paper.sales, which)
        if not sale.can_leave:
            with refusal(fulfil.NotReady):
                fulfil.hand_to_carrier(sale.order_id, actor="clerk")
            return
        fulfil.hand_to_carrier(sale.order_id, actor="clerk")
        sale.statuses.append("SHIPPED")
        sale.parcel = "handed_over"
        sale.mails["order_shipped"] += 1

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def parcel_arrives(self, which: int) -> None:
        sale = pick(self.paper.sales, which)
        if sale.status != "SHIPPED":
            with refusal(fulfil.NotReady):
                fulfil.mark_delivered(sale.order_id, actor="clerk")
            return
        fulfil.mark_delivered(sale.order_id, actor="clerk")
        sale.statuses.append("DELIVERED")
        sale.parcel = "delivered"

    @precondition(lambda self: not self.outage)
    @rule(lines=baskets, wanted=codes, leaves=st.booleans())
    def order_goes_all_the_way(self, lines: dict[str, int], wanted: Any, leaves: bool) -> None:
        """A good day, so that stories get as far as returns."""
        before = len(self.paper.sales)
        self._order(Wish(EMAILS["bob"], lines, wanted))
        self._work()
        self.read_the_log()
        for sale in self.paper.sales[before:]:
            if leaves and sale.can_leave:
                which = self.paper.sales.index(sale)
                self.parcel_leaves(which)
                self.parcel_arrives(which)

    # --- Money and goods that come back --------------------------------------------------------

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, share=st.sampled_from(["a cent", "half", "all", "more than all"]))
    def clerk_gives_money_back(self, which: int, share: str) -> None:
        self.read_the_log()
        sale = pick(self.paper.sales, which)
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
        sale.refunds[asked["purpose"]] = ledger.Refund(amount)
        for _ in range(2):  # a double click
            refunds.request_refund(sale.order_id, **asked)

    @precondition(lambda self: self.unsettled())
    @rule(fate=fates, passed=st.integers(0, 5))
    def refunds_are_sent(self, fate: str, passed: int) -> None:
        self._do(refunds.send_due, fate, passed)

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, lines=baskets)
    def return_is_announced(self, which: int, lines: dict[str, int]) -> None:
        sale = pick(self.by_status("DELIVERED", "RETURN_INITIATED") or self.paper.sales, which)
        may = sale.status in ("DELIVERED", "RETURN_INITIATED") and all(
            units <= sale.returnable(sku) for sku, units in lines.items()
        )
        if not may:
            with refusal(ReturnRefused):
                returns.request_return(sale.order_id, lines=list(lines.items()), reason="too big")
            return
        made = returns.request_return(sale.order_id, lines=list(lines.items()), reason="too big")
        self.paper.announce(sale, ledger.Return(made.pk, lines))

    @precondition(lambda self: any(sale.returns for sale in self.paper.sales))
    @rule(which=number)
    def return_is_received(self, which: int) -> None:
        self.read_the_log()
        all_returns = [(sale, back) for sale in self.paper.sales for back in sale.returns]
        sale, back = pick(all_returns, which)
        first = returns.receive_return(back.id, actor="clerk")
        assert first is not back.received
        if first:
            self.paper.receive(sale, back)

    @rule(sku=skus, units=st.integers(0, 3))
    def goods_arrive(self, sku: str, units: int) -> None:
        stock.receive(sku=sku, quantity=units, reason="delivery", actor="clerk")
        self.paper.shelves[sku].on_hand += units

    @rule(sku=skus, change=st.integers(-4, 2))
    def shelf_is_counted(self, sku: str, change: int) -> None:
        shelf = self.paper.shelves[sku]
        if shelf.free + change < 0:
            with refusal(stock.WouldGoBelowReserved):
                stock.adjust(sku=sku, change=change, reason="counted", actor="clerk")
            return
        stock.adjust(sku=sku, change=change, reason="counted", actor="clerk")
        shelf.on_hand += change

    # --- Comparing -----------------------------------------------------------------------------

    @invariant()
    def compare(self) -> None:
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
        for payment in Payment.objects.all():
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
                    book[refund.purpose] = ledger.Refund(refund.amount)
            known = book[refund.purpose]
            assert refund.amount == known.amount
            assert refund.status == "succeeded" or not known.settled
            known.settled = refund.status == "succeeded"

    def _learn_from(self, payment: Payment, sale: Sale) -> None:
        sale.bank_page = sale.bank_page or urlsplit(payment.next_action_url).path
        if payment.captured_amount and not sale.captured:
            # A webhook, or a zombie's answer, told it before the saga did.
            assert sale.capture_was_asked, f"{sale} was never to be captured"
            sale.captured = payment.captured_amount

    def _compare_stock(self) -> None:
        rows = StockItem.objects.values_list("variant_id", "on_hand", "reserved")
        found = {self.skus[pk]: (on_hand, reserved) for pk, on_hand, reserved in rows}
        on_paper = {sku: (s.on_hand, s.reserved) for sku, s in self.paper.shelves.items()}
        assert found == on_paper
        assert stock.availability(PRICES) == {
            sku: shelf.free for sku, shelf in self.paper.shelves.items()
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
            statuses = [status for status, _ in events[sale.order_id]]
            if sale.asked_meanwhile and statuses[1:2] == ["REQUIRES_ACTION"]:
                # She was asked by her bank in the moment in which the order was called off.
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
        payments = {payment.order_id: payment for payment in Payment.objects.all()}
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
                assert payment.status in ("voided", "refunded"), sale
                assert received == returned, sale
                assert not any(intent["status"] == "requires_capture" for intent in intents)

    def _compare_carts(self) -> None:
        for shopper, cart in self.carts.items():
            user = self.users.get(shopper)
            found = carts.of_user(user) if user else carts.find(cart.view.id, token=cart.view.token)
            assert found.id == cart.view.id
            assert {line.sku: line.quantity for line in found.lines} == cart.lines, shopper
            assert found.promo_codes == cart.codes, shopper

    # --- The end -------------------------------------------------------------------------------

    def teardown(self) -> None:
        """Everybody goes on working until nothing is due. After a failure only the threads end."""
        failed = sys.exc_info()[0] is not None
        while self.frozen:
            with contextlib.suppress(BaseException) if failed else contextlib.nullcontext():
                self.frozen.pop().wake()
        if failed:
            return
        self.shop_is_as_on_paper()
        self.gateway_comes_back()
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
        self.leases_end()
        self.backoffs_end()
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
            elif sale.challenge == "open" and not sale.over:
                sale.out_of_time = True  # she never comes back
                self.shop.pass_deadline(sale.order_id)

    def _anything_open(self) -> bool:
        self.read_the_log()
        return (
            not all(sale.over for sale in self.paper.sales)
            or Refund.objects.filter(status="requested").exists()
            or WebhookInbox.objects.filter(state="received").exists()
        )

    # --- What rules pick from ------------------------------------------------------------------

    def under_way(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if not sale.over]

    def unsettled(self) -> bool:
        """Whether money is on its way back."""
        return any(not r.settled for sale in self.paper.sales for r in sale.refunds.values())

    def by_status(self, *statuses: str) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.status in statuses]

    def challenged(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.challenge and sale.bank_page]

    def sales_of_carts(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.wish.cart and sale.wish.user_id]

    # --- Doing ---------------------------------------------------------------------------------

    def _order(self, *wishes: Wish) -> bool:
        """Order all in one commit; whether the first was accepted."""
        pairs = [(wish, self._request(wish)) for wish in wishes]
        outcomes = together(*(request for _, request in pairs))
        accepted = [isinstance(outcome, Accepted) for outcome in outcomes]
        # Whoever was refused is looked at last: what she wanted is gone into the others' orders.
        for place in sorted(range(len(pairs)), key=lambda place: not accepted[place]):
            self._answered(*pairs[place], outcomes[place])
        return accepted[0]

    def _answered(self, wish: Wish, request: CheckoutRequest, outcome: Any) -> None:
        if isinstance(outcome, Accepted):
            assert not outcome.replayed
            self.paper.sell(wish, outcome.order_id, request)
        else:
            why = type(outcome).__name__
            assert why in self.paper.refusals(wish), f"{wish} heard {outcome!r}"

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

    def _work(self) -> None:
        for _ in range(60):
            if not saga.advance():
                return
        raise AssertionError("sagas are due for ever")

    def _events_of(self, sale: Sale) -> list[dict[str, Any]]:
        """The gateway's events about one order, oldest first."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        client = self.shop.sandbox.client()
        payment_id = str(Payment.objects.values_list("pk", flat=True).get(order_id=sale.order_id))
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
            and event["data"]["object"]["metadata"].get("payment_id") == payment_id
        ]

    def _empty_redis(self) -> None:
        self.redis.flushall()
        on_sale.assume_none(seconds=3600)


# --- Small tools --------------------------------------------------------------------------------


def pick(some: list[Any], which: int) -> Any:
    return some[which % len(some)]


@contextlib.contextmanager
def refusal(kind: type[Exception]) -> Iterator[None]:
    """The shop has to say no, in this way and in no other."""
    try:
        yield
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was due, and nothing was refused")


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
