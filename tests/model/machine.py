"""Everything that people, workers, banks and bad luck do to the shop, in any order.

Each rule does one thing to the real shop (PostgreSQL, Redis, the sandbox over HTTP) and the same to
the shop on paper (ledger.py), and asserts what the shop answers. After it both are compared
(both.py).

A rule picks orders, webhooks and frozen workers by a number, modulo how many there are, and never
by what the clock or an id says: the same numbers are the same story. For the same reason a backoff
lasts an hour here, and only `time_passes` ends it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

from django.db.models import F
from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition

from apps.cart import carts
from apps.inventory import stock
from apps.orders import fulfil, returns, review, saga
from apps.orders.cancel import request_cancellation
from apps.orders.errors import NotCancellable, NotInReview, ReturnRefused
from apps.orders.intake import Accepted
from apps.orders.models import Order, Saga
from apps.payments import inbox, refunds
from apps.payments.models import Payment, Refund
from tests.model import ledger
from tests.model.both import EMAILS, KETTLE, MUG, BothShops
from tests.model.ledger import ASKS, CARDS, GOOD, Sale, Wish
from tests.orders.checkouts import together

MOST_ATTEMPTS = saga.MAX_ATTEMPTS
TROUBLES = ("reset_before", "reset_after", "error_500_before", "error_500_after", "conflict_409")
OPERATIONS = (
    "payment_intents.create",
    "payment_intents.capture",
    "payment_intents.cancel",
    "payment_intents.retrieve",
    "refunds.create",
)
STAGES = ("placed", "worked", "confirmed", "delivered", "coming back")
DONE = ("confirmed", "delivered", "coming back")

who = st.sampled_from(["alice", "bob", "guest"])
skus = st.sampled_from([MUG, KETTLE])
cards = st.sampled_from([GOOD, GOOD, ASKS, *CARDS])
codes = st.sampled_from(
    [(), (), (), ("ONCE",), ("MINE",), ("MINE",), ("GIFT",), ("GIFT", "POSTAGE"), ("ONCE", "MINE")]
)
baskets = st.dictionaries(skus, st.sampled_from([1, 1, 2, 3]), min_size=1)
number = st.integers(0, 9)
points = st.integers(0, 12)
fates = st.sampled_from(["lives", "lives", "dies", "freezes"])

RULES: set[str] = set()


def rule(**given: Any) -> Callable[[Any], Any]:
    """Hypothesis's rule, listed in RULES besides, so that `about` knows what to leave out."""

    def of(happens: Any) -> Any:
        RULES.add(happens.__name__)
        return stateful.rule(**given)(happens)

    return of


class EveryRule:
    """Stands where Hypothesis keeps which rules a story may use."""

    def is_enabled(self, name: str) -> bool:
        return True


class ShopMachine(BothShops):
    """One story."""

    swarm: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        if not self.swarm:
            # Hypothesis forbids each story a random half of the rules. That pays over thousands of
            # stories; of a dozen or two, it leaves hardly one that gets as far as a return. There
            # is no public switch. Should this attribute go, stories are told as Hypothesis likes,
            # and the tests of planted defects say whether those still find anything.
            self._rules_strategy.enabled_rules_strategy = st.just(EveryRule())

    @classmethod
    def about(cls, *only: str) -> type[ShopMachine]:
        """The same machine with no rules but these."""
        assert RULES.issuperset(only), set(only) - RULES
        return type(cls.__name__, (cls,), dict.fromkeys(RULES.difference(only)))

    @initialize(
        orders=st.lists(
            st.tuples(st.sampled_from(STAGES), who, baskets, codes, cards), min_size=1, max_size=3
        )
    )
    def day_begins(self, orders: Any) -> None:
        """With what came before, so that a story need not spend its length on getting there."""
        # Whoever is only placed comes last: a worker takes all there are.
        for stage, shopper, lines, wanted, card in sorted(orders, key=lambda o: o[0] == "placed"):
            wish = Wish(EMAILS[shopper], lines, wanted, GOOD if stage in DONE else card)
            accepted = self._order(wish)
            if stage != "placed":
                self._work()
                self.read_the_log()
            if stage in ("delivered", "coming back") and accepted:
                self._leaves(self.paper.sales[-1])
                self._arrives(self.paper.sales[-1])
            if stage == "coming back" and accepted:
                self._comes_back(self.paper.sales[-1], {next(iter(lines)): 1})

    # --- Filling a cart ------------------------------------------------------------------------

    @rule(
        shopper=who,
        sku=skus,
        units=st.sampled_from([1, 2, 3, 4, 0]),
        adds=st.booleans(),
        wanted=st.none() | codes,
    )
    def changes_her_cart(
        self, shopper: str, sku: str, units: int, adds: bool, wanted: tuple[str, ...] | None
    ) -> None:
        cart = self.carts[shopper]
        if wanted is not None:
            cart.view = carts.set_promos(cart.view, wanted)
            cart.codes = wanted
        adds = adds and units > 0
        after = units + (cart.lines.get(sku, 0) if adds else 0)
        change = carts.add if adds else carts.set_line
        if after > self.paper.shelves[sku].free:
            with refusal(carts.InsufficientStock):
                change(cart.view, sku, units)
            return
        cart.view = change(cart.view, sku, units)
        cart.lines[sku] = after
        if not after:
            del cart.lines[sku]

    @rule(signs_in=st.booleans())
    def guests_cart_is_gone(self, signs_in: bool) -> None:
        """Because she signs in as Bob, or because Redis forgets everything."""
        guest, bob = self.carts["guest"], self.carts["bob"]
        if signs_in:
            bob.view = carts.merge(guest.view, self.users["bob"])
            bob.lines = ledger.merged(bob.lines, guest.lines)
            bob.codes = ledger.together(bob.codes, guest.codes)
        else:
            self._empty_redis()
        with refusal(carts.CartNotFound):
            carts.find(guest.view.id, token=guest.view.token)
        self._take_cart("guest")

    @precondition(lambda self: self.cancelled_carts())
    @rule(which=number)
    def puts_a_cancelled_order_into_her_cart_again(self, which: int) -> None:
        sale = pick(self.cancelled_carts(), which)
        shopper = next(name for name, user in self.users.items() if user.pk == sale.wish.user_id)
        assert sale.wish.cart is not None
        cart = self.carts[shopper]
        cart.view = carts.reopen(sale.wish.cart, user=self.users[shopper])
        cart.lines = ledger.merged(cart.lines, sale.wish.lines)
        cart.codes = ledger.together(cart.codes, sale.wish.codes)

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

    @precondition(lambda self: self.leases or any(sale.backing_off for sale in self.paper.sales))
    @rule(end=st.sampled_from([("leases", "backoffs"), ("leases",), ("backoffs",)]))
    def time_passes(self, end: tuple[str, ...]) -> None:
        """Leases of dead workers, of frozen ones, of slow ones: nobody can tell them apart."""
        if "leases" in end:
            self._leases_end()
        if "backoffs" in end:
            self.shop.hurry()

    @precondition(lambda self: self.under_way() and not self.tried_too_often)
    @rule(which=number)
    def was_tried_too_often(self, which: int) -> None:
        """The next claim of this order is one too many."""
        self.tried_too_often = True
        sale = pick(self.under_way(), which)
        Saga.objects.filter(pk=sale.order_id).update(attempts=MOST_ATTEMPTS)

    @precondition(lambda self: self.tried_too_often)
    @rule(which=number, verb=st.sampled_from(["retry", "undo"]))
    def person_decides(self, which: int, verb: str) -> None:
        self.read_the_log()
        sale = self.prefer([sale for sale in self.paper.sales if sale.in_review], which)
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
        sale = self.prefer([sale for sale in self.paper.sales if sale.capture_was_asked], which)
        for intent in self.shop.intents(sale.order_id):
            if intent["status"] == "requires_capture":
                self.shop.sandbox.client().v1.payment_intents.cancel(intent["id"])
                sale.lapsed = True

    @precondition(lambda self: self.paper.sales)
    @rule(which=number, fault=st.sampled_from(TROUBLES), operation=st.sampled_from(OPERATIONS))
    def gateway_stumbles_over_an_order(self, which: int, fault: str, operation: str) -> None:
        """The next call of this kind; an earlier stumble that did not happen is forgotten."""
        about = {"order_id": str(pick(self.paper.sales, which).order_id)}
        self.outage = 0
        self.shop.sandbox.faults(
            {"fault": fault, "operations": [operation], "metadata": about, "count": 1}
        )

    @precondition(lambda self: self.under_way() and not self.outage)
    @rule(lasts=st.integers(1, 4))
    def gateway_goes_away(self, lasts: int) -> None:
        self.outage = lasts + 1
        self.shop.sandbox.faults({"fault": "outage"})

    @precondition(lambda self: self.paper.sales and not self.outage)
    @rule(which=number, event=number, copies=st.integers(1, 2))
    def webhook_arrives(self, which: int, event: int, copies: int) -> None:
        """Any of the order's, in any order, twice at will. Those never drawn never arrive."""
        events = self._events_of(pick(self.paper.sales, which))
        self.posted = bool(events)
        for _ in range(copies if events else 0):
            assert self.shop.post_webhook(pick(events, event)) == 200

    @precondition(lambda self: self.paper.sales and not self.outage and not self.posted)
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

    @precondition(lambda self: self.under_way() and not self.outage and not self.a_day_later)
    @rule()
    def day_passes(self) -> None:
        """The gateway forgets its keys; whatever is still open is out of time."""
        self.a_day_later = True
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
        sale = self.prefer([sale for sale in self.paper.sales if sale.can_leave], which)
        if not sale.can_leave:
            with refusal(fulfil.NotReady):
                fulfil.hand_to_carrier(sale.order_id, actor="clerk")
            return
        self._leaves(sale)

    def _leaves(self, sale: Sale) -> None:
        fulfil.hand_to_carrier(sale.order_id, actor="clerk")
        sale.statuses.append("SHIPPED")
        sale.parcel = "handed_over"
        sale.mails["order_shipped"] += 1

    @precondition(lambda self: self.paper.sales)
    @rule(which=number)
    def parcel_arrives(self, which: int) -> None:
        sale = self.prefer(self.by_status("SHIPPED"), which)
        if sale.status != "SHIPPED":
            with refusal(fulfil.NotReady):
                fulfil.mark_delivered(sale.order_id, actor="clerk")
            return
        self._arrives(sale)

    def _arrives(self, sale: Sale) -> None:
        fulfil.mark_delivered(sale.order_id, actor="clerk")
        sale.statuses.append("DELIVERED")
        sale.parcel = "delivered"

    # --- Money and goods that come back --------------------------------------------------------

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
        sale.refunds[asked["purpose"]] = ledger.Refund(amount)
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
        self.paper.announce(sale, ledger.Return(made.pk, back))

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

    @rule(sku=skus, change=st.integers(-4, 3), counted=st.booleans())
    def shelf_changes(self, sku: str, change: int, counted: bool) -> None:
        """Goods arrive, or somebody counts and finds more or less than there should be."""
        shelf = self.paper.shelves[sku]
        about: dict[str, Any] = {"sku": sku, "reason": "Monday", "actor": "clerk"}
        if change >= 0 and not counted:
            stock.receive(quantity=change, **about)
        elif shelf.free + change < 0:
            with refusal(stock.WouldGoBelowReserved):
                stock.adjust(change=change, **about)
            return
        else:
            stock.adjust(change=change, **about)
        shelf.on_hand += change

    # --- What rules pick from ------------------------------------------------------------------

    def under_way(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if not sale.over]

    def unsettled(self) -> bool:
        """Whether money is on its way back."""
        return any(not r.settled for sale in self.paper.sales for r in sale.refunds.values())

    def prefer(self, some: list[Sale], which: int) -> Sale:
        """One of `some`, if there are any; now and then just any, to be refused."""
        sale: Sale = pick(some if some and which < 7 else self.paper.sales, which)
        return sale

    def by_status(self, *statuses: str) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.status in statuses]

    def challenged(self) -> list[Sale]:
        return [sale for sale in self.paper.sales if sale.challenge and sale.bank_page]

    def cancelled_carts(self) -> list[Sale]:
        return [sale for sale in self.by_status("CANCELLED") if sale.wish.user_id]


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
