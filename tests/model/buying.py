"""Rules: carts are filled, and ordered once, twice, or by many in the same moment."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from apps.cart import carts
from apps.orders.intake import Accepted
from apps.orders.models import Order
from tests.model import ledger
from tests.model.both import EMAILS, MUG
from tests.model.paper_order import Wish
from tests.model.picking import Picking
from tests.model.rules import baskets, cards, codes, number, pick, refusal, rule, skus, who
from tests.orders.checkouts import together


class Buying(Picking):
    """What shoppers do until their order is accepted."""

    # --- Filling a cart -------------------------------------------------------------------------

    @rule(
        shopper=who,
        sku=skus,
        units=st.sampled_from([1, 2, 3, 4, 0]),
        adds=st.booleans(),
        wanted=st.none() | codes,
    )
    def changes_their_cart(
        self, shopper: str, sku: str, units: int, adds: bool, wanted: tuple[str, ...] | None
    ) -> None:
        cart = self.carts[shopper]
        if wanted is not None:
            cart.view = carts.set_promos(cart.view, wanted)
            cart.codes = wanted
        adds = adds and units > 0
        after = units + (cart.lines.get(sku, 0) if adds else 0)
        change = carts.add if adds else carts.set_line
        if after > self.paper.stock_rows[sku].free:
            with refusal(carts.InsufficientStock):
                change(cart.view, sku, units)
            return
        cart.view = change(cart.view, sku, units)
        cart.lines[sku] = after
        if not after:
            del cart.lines[sku]

    @rule(signs_in=st.booleans())
    def guests_cart_is_gone(self, signs_in: bool) -> None:
        """By signing in as Bob, or by Redis losing everything."""
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
    def puts_a_cancelled_order_into_their_cart_again(self, which: int) -> None:
        sale = pick(self.cancelled_carts(), which)
        shopper = next(name for name, user in self.users.items() if user.pk == sale.wish.user_id)
        assert sale.wish.cart is not None
        cart = self.carts[shopper]
        cart.view = carts.reopen(sale.wish.cart, user=self.users[shopper])
        cart.lines = ledger.merged(cart.lines, sale.wish.lines)
        cart.codes = ledger.together(cart.codes, sale.wish.codes)

    # --- Ordering -------------------------------------------------------------------------------

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
        """Without an answer the same request is sent again: one order or none."""
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
            (answer,) = together(sale.request._replace(fingerprint=b"x" * 32))
            assert type(answer).__name__ == "IdempotencyKeyReused"
        else:
            (answer,) = together(sale.request)
            assert isinstance(answer, Accepted) and answer.replayed
            assert answer.order_id == sale.order_id
