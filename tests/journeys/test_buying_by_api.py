"""Buying as an app does: through web, intake, worker, gateway, webhooks and back, over HTTP.

About half a minute, half of it the worker that is killed (its leases run for 20 seconds).
"""

import json
import re
import threading
from collections import Counter
from typing import Any
from uuid import uuid4

import pytest
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.journeys.conftest import Goods, SandboxControl
from tests.journeys.shopper import (
    CHALLENGED,
    DECLINED,
    NO_FUNDS,
    App,
    Placed,
    answer_challenge,
    codes,
    crowd,
)
from tools.stack import Stack

pytestmark = pytest.mark.journey

PAID = ["PENDING", "PAYMENT_AUTHORIZED", "CONFIRMED"]


class TestPaying:
    def test_by_visa(self, app: App, goods: Goods) -> None:
        placed = app.buy((goods.mug.sku, 2), expected_total={"amount": "40.90", "currency": "USD"})

        status = app.follow(placed)

        assert placed.total == "40.90"
        assert status["status"] == "CONFIRMED"
        assert status["message"] == "Paid and confirmed. We are packing your order."
        assert status["seq"] == 3
        assert status["next_action"] is None
        assert app.moves(placed) == PAID
        order = app.order(placed)
        assert re.fullmatch(r"KP-[0-9A-HJKMNP-TV-Z]{7}", order["number"])
        assert order["totals"] == {
            "subtotal": {"amount": "36.00", "currency": "USD"},
            "discount": {"amount": "0.00", "currency": "USD"},
            "shipping": {"amount": "4.90", "currency": "USD"},
            "tax": {"amount": "0.00", "currency": "USD"},
            "total": {"amount": "40.90", "currency": "USD"},
        }

    @pytest.mark.parametrize(
        ("card", "said"),
        [
            (DECLINED, "Your card was declined."),
            (NO_FUNDS, "Your card has insufficient funds."),
        ],
    )
    def test_with_a_card_that_is_refused(
        self, app: App, goods: Goods, card: str, said: str
    ) -> None:
        before = app.available(goods.lamp.sku, goods.lamp.slug)

        placed = app.buy((goods.lamp.sku, 1), card=card)
        status = app.follow(placed, "PAYMENT_FAILED")

        assert said in status["message"]
        assert status["next_action"]["type"] == "pay_again"
        assert app.moves(placed) == ["PENDING", "PAYMENT_FAILED"]
        assert app.available(goods.lamp.sku, goods.lamp.slug) == before - 1
        app.cancel(placed)
        app.follow(placed, "CANCELLED")
        assert app.moves(placed) == ["PENDING", "PAYMENT_FAILED", "CANCELLED"]
        assert app.available(goods.lamp.sku, goods.lamp.slug) == before

    def test_with_another_card_after_one_that_is_refused(self, app: App, goods: Goods) -> None:
        placed = app.buy((goods.lamp.sku, 1), card=DECLINED)
        action = app.follow(placed, "PAYMENT_FAILED")["next_action"]

        body = {"payment_method": "pm_card_visa"}
        headers = {"X_Order_Token": placed.token, "Idempotency_Key": f"again-{placed.id}"}
        first, again = (app.ask("POST", action["url"], body, **headers) for _ in range(2))

        assert (first.status_code, again.status_code) == (202, 202), first.text
        assert first.json()["id"] == placed.id
        assert again.headers["Idempotent-Replayed"] == "true"
        assert app.follow(placed)["status"] == "CONFIRMED"
        assert app.moves(placed) == ["PENDING", "PAYMENT_FAILED", *PAID]
        assert [p["status"] for p in app.order(placed)["payments"]] == ["voided", "captured"]

    def test_after_the_bank_has_asked(self, app: App, goods: Goods) -> None:
        placed = app.buy((goods.mug.sku, 1), card=CHALLENGED)
        asked = app.follow(placed, "REQUIRES_ACTION")

        assert asked["next_action"]["type"] == "redirect"
        back = answer_challenge(asked["next_action"]["url"], "approve")

        assert app.follow(placed)["status"] == "CONFIRMED"
        assert app.moves(placed) == ["PENDING", "REQUIRES_ACTION", *PAID[1:]]
        assert f"/orders/{placed.id}/" in back.url
        assert "secret" not in back.url, "the gateway's parameters are dropped on the way back"

    def test_refused_at_the_bank(self, app: App, goods: Goods) -> None:
        placed = app.buy((goods.mug.sku, 1), card=CHALLENGED)
        asked = app.follow(placed, "REQUIRES_ACTION")

        answer_challenge(asked["next_action"]["url"], "refuse")

        failed = app.follow(placed, "PAYMENT_FAILED")
        assert failed["next_action"]["type"] == "pay_again"
        assert app.moves(placed) == ["PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED"]

    @pytest.mark.parametrize("card", ["pm_card_visa", CHALLENGED])
    def test_when_the_webhook_is_quicker_than_the_answer(
        self, app: App, goods: Goods, sandbox: SandboxControl, card: str
    ) -> None:
        sandbox.set({"fault": "webhook_before_answer"}, latency_ms=100)

        placed = app.buy((goods.mug.sku, 1), card=card)
        if card == CHALLENGED:
            asked = app.follow(placed, "REQUIRES_ACTION")
            answer_challenge(asked["next_action"]["url"], "approve")

        assert app.follow(placed)["status"] == "CONFIRMED"
        assert [move for move in app.moves(placed) if move != "REQUIRES_ACTION"] == PAID

    def test_of_a_customer_with_a_token(self, live_stack: Stack, app: App, goods: Goods) -> None:
        email = f"carol-{uuid4().hex[:8]}@example.com"
        made = app.ask("POST", "/auth/register/", {"email": email, "password": "pour-over-9"})
        assert made.status_code == 201, made.text
        app.sign_in(email, "pour-over-9")
        cart = app.new_cart((goods.mug.sku, 1), (goods.candle.sku, 2))

        placed = app.buy(cart=cart, email=email)
        assert app.follow(placed)["status"] == "CONFIRMED"

        mine = app.ask("GET", "/orders/").json()["results"]
        assert [order["id"] for order in mine] == [placed.id]
        without_token = Placed(placed.id, "", "", "", placed.links)
        assert app.order(without_token)["email"] == email
        stranger = App(live_stack.url)
        assert stranger.ask("GET", f"/orders/{placed.id}/").status_code == 404


class TestNotBuying:
    def test_what_is_sold_out(self, app: App, goods: Goods) -> None:
        answer = app.checkout((goods.mug.sku, 1), (goods.memory.sku, 1))

        assert codes([answer]) == ["out_of_stock"]
        assert answer.status_code == 409
        (error,) = answer.json()["errors"]
        assert (error["field"], error["available"]) == (goods.memory.sku, 0)

    def test_at_another_price_than_expected(self, app: App, goods: Goods) -> None:
        answer = app.checkout(
            (goods.mug.sku, 1), expected_total={"amount": "1.00", "currency": "USD"}
        )

        assert (answer.status_code, answer.json()["code"]) == (409, "price_changed")
        quote = answer.json()["quote"]
        assert quote["total"] == {"amount": "22.90", "currency": "USD"}
        assert app.buy((goods.mug.sku, 1), expected_total=quote["total"]).total == "22.90"

    def test_what_was_called_off_before_shipment(
        self, app: App, goods: Goods, sandbox: SandboxControl
    ) -> None:
        sandbox.set(latency_ms=300)
        running = app.buy((goods.lamp.sku, 1))
        asked = app.ask("POST", f"/orders/{running.id}/cancel/", X_Order_Token=running.token)
        sandbox.set()
        confirmed = app.buy((goods.lamp.sku, 1))
        app.follow(confirmed, "CONFIRMED")

        again = app.ask("POST", f"/orders/{confirmed.id}/cancel/", X_Order_Token=confirmed.token)

        assert (asked.status_code, again.status_code) == (202, 202)
        for placed in (running, confirmed):
            assert app.follow(placed, "CANCELLED")["status"] == "CANCELLED"
            late = app.ask("POST", f"/orders/{placed.id}/cancel/", X_Order_Token=placed.token)
            assert (late.status_code, late.json()["code"]) == (409, "not_cancellable")


class TestTwice:
    def test_same_key_replays_byte_for_byte(self, app: App, goods: Goods) -> None:
        first = app.checkout((goods.mug.sku, 1), key="k-" + uuid4().hex)
        key = first.request.headers["Idempotency-Key"]
        placed = Placed.by(first)
        app.follow(placed, "CONFIRMED")

        again = app.checkout((goods.mug.sku, 1), key=key)

        assert again.status_code == 202
        assert again.content == first.content, "as it was then, whatever became of the order"
        assert again.headers["Idempotent-Replayed"] == "true"
        assert "Idempotent-Replayed" not in first.headers
        other = app.checkout((goods.mug.sku, 2), key=key)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")

    def test_twenty_doubles_are_one_order(self, live_stack: Stack, app: App, goods: Goods) -> None:
        before = app.available(goods.kettle.sku, goods.kettle.slug)
        key = uuid4().hex

        answers = crowd(20, lambda _: App(live_stack.url).checkout((goods.kettle.sku, 1), key=key))

        told = Counter(codes(answers))
        assert set(told) <= {"202", "idempotency_in_flight"}, told
        accepted = [answer for answer in answers if answer.status_code == 202]
        assert len({answer.content for answer in accepted}) == 1
        assert [a.headers.get("Idempotent-Replayed") for a in accepted].count(None) == 1
        assert all(
            answer.headers["Retry-After"] == "1" for answer in answers if answer not in accepted
        )
        placed = Placed.by(app.checkout((goods.kettle.sku, 1), key=key))
        assert app.follow(placed)["status"] == "CONFIRMED"
        assert app.available(goods.kettle.sku, goods.kettle.slug) == before - 1

    def test_two_tabs_with_one_cart_are_one_order(self, app: App, goods: Goods) -> None:
        cart = app.new_cart((goods.mug.sku, 1))

        def tab(_: int) -> requests.Response:
            return App(app.url, dict(app.headers)).checkout(cart=cart)

        answers = crowd(2, tab)

        assert sorted(codes(answers)) == ["202", "cart_already_ordered"]
        (won,) = [answer.json()["order"] for answer in answers if answer.status_code == 202]
        (lost,) = [answer.json()["order"] for answer in answers if answer.status_code == 409]
        assert lost == {"id": won["id"], "number": won["number"]}
        ours = Placed.by(next(answer for answer in answers if answer.status_code == 202))

        app.follow(ours, "CONFIRMED")
        app.ask("POST", f"/orders/{ours.id}/cancel/", X_Order_Token=ours.token)
        app.follow(ours, "CANCELLED")
        third = Placed.by(tab(0))
        assert app.follow(third)["status"] == "CONFIRMED"


class TestLast:
    def test_twenty_units_and_eighty_buyers(
        self, live_stack: Stack, app: App, goods: Goods
    ) -> None:
        answers = crowd(80, lambda _: App(live_stack.url).checkout((goods.rarity.sku, 1)))

        assert Counter(codes(answers)) == {"202": 20, "out_of_stock": 60}
        assert {
            (error["field"], error["available"])
            for answer in answers
            if answer.status_code == 409
            for error in answer.json()["errors"]
        } == {(goods.rarity.sku, 0)}
        for answer in answers:
            if answer.status_code == 202:
                assert app.follow(Placed.by(answer))["status"] == "CONFIRMED"
        assert app.available(goods.rarity.sku, goods.rarity.slug) == 0

    def test_unit_comes_back_when_its_buyer_cannot_pay(self, app: App, goods: Goods) -> None:
        alice = app.buy((goods.last_one.sku, 1), card=CHALLENGED)
        bob = app.checkout((goods.last_one.sku, 1), email="bob@example.com")
        assert codes([bob]) == ["out_of_stock"]
        asked = app.follow(alice, "REQUIRES_ACTION")
        answer_challenge(asked["next_action"]["url"], "refuse")
        app.follow(alice, "PAYMENT_FAILED")
        assert codes([app.checkout((goods.last_one.sku, 1))]) == ["out_of_stock"], "still held"
        app.cancel(alice)
        app.follow(alice, "CANCELLED")

        again = app.buy((goods.last_one.sku, 1), email="bob@example.com")

        assert app.follow(again)["status"] == "CONFIRMED"

    def test_use_of_a_code_goes_to_one_of_ten(
        self, live_stack: Stack, app: App, goods: Goods
    ) -> None:
        answers = crowd(
            10,
            lambda n: App(live_stack.url).checkout(
                (goods.kettle.sku, 1), promo_code="golden ticket", email=f"shopper{n}@example.com"
            ),
        )

        assert Counter(codes(answers)) == {"202": 1, "promo_exhausted": 9}
        assert {answer.status_code for answer in answers} == {202, 409}
        placed = Placed.by(next(answer for answer in answers if answer.status_code == 202))
        assert app.follow(placed)["status"] == "CONFIRMED"
        assert placed.total == "48.90"
        assert app.order(placed)["promo_codes"] == ["GOLDENTICKET"]


class TestWatching:
    def received(self, address: str, *, until: str) -> list[dict[str, Any]]:
        """Every message of the socket, up to the one with this status."""
        messages: list[dict[str, Any]] = []
        with connect(address, open_timeout=60) as socket:
            while not messages or messages[-1]["status"] != until:
                messages.append(json.loads(socket.recv(timeout=60)))
        return messages

    def test_every_move_arrives_once_and_in_order(
        self, app: App, goods: Goods, sandbox: SandboxControl
    ) -> None:
        sandbox.set(latency_ms=400)
        placed = app.buy((goods.mug.sku, 1))

        messages = self.received(placed.links["websocket"] + "&after_seq=0", until="CONFIRMED")

        assert [message["seq"] for message in messages] == [1, 2, 3]
        assert [message["status"] for message in messages] == PAID
        last = app.follow(placed, "CONFIRMED")
        assert messages[-1] == last, "the socket and the status endpoint say the same"

    def test_client_that_comes_back_gets_what_it_missed_and_nothing_twice(
        self, app: App, goods: Goods
    ) -> None:
        placed = app.buy((goods.mug.sku, 1), card=CHALLENGED)
        first = self.received(placed.links["websocket"], until="REQUIRES_ACTION")
        answer_challenge(first[-1]["next_action"]["url"], "approve")
        app.follow(placed, "CONFIRMED")

        seen = first[-1]["seq"]
        rest = self.received(f"{placed.links['websocket']}&after_seq={seen}", until="CONFIRMED")

        assert [message["seq"] for message in first + rest] == [1, 2, 3, 4]
        assert [message["status"] for message in first + rest] == app.moves(placed)

    @pytest.mark.parametrize("token", ["", "0" * 40])
    def test_stranger_is_shown_out(self, app: App, goods: Goods, token: str) -> None:
        placed = app.buy((goods.mug.sku, 1))
        address = placed.links["websocket"].partition("?")[0]

        with connect(f"{address}?token={token}", open_timeout=60) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=60)

        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4404


class TestMishaps:
    def test_orders_survive_a_new_web_process_under_load(
        self, live_stack: Stack, app: App, goods: Goods
    ) -> None:
        """A deploy: who gets no answer sends the same key again, and has one order."""
        before = app.available(goods.cup.sku, goods.cup.slug)
        closed = threading.Event()

        def buy(number: int) -> Placed | None:
            if number == 0:
                live_stack.stop_process("web")
                closed.set()
                live_stack.start_process("web")
                # All others may have been served by the old one.
                live_stack.wait_ready()
                return None
            if number % 2:
                closed.wait(60)  # half of them come while it is closed
            shopper, key = App(live_stack.url), uuid4().hex
            for _ in range(200):
                try:
                    answer = shopper.checkout((goods.cup.sku, 1), key=key)
                except requests.ConnectionError:
                    shopper = App(live_stack.url)
                    live_stack.wait_ready()
                    continue
                if answer.status_code == 202:
                    return Placed.by(answer)
                assert answer.status_code in (409, 503), answer.text
            raise AssertionError("no order in two hundred tries")

        answers = crowd(25, buy)

        placed = [answer for answer in answers if answer is not None]
        assert all(isinstance(answer, Placed) for answer in placed), answers
        assert len({answer.id for answer in placed}) == 24
        assert all(app.follow(order)["status"] == "CONFIRMED" for order in placed)
        assert app.available(goods.cup.sku, goods.cup.slug) == before - 24

    def test_orders_survive_the_death_of_the_worker(
        self, live_stack: Stack, app: App, goods: Goods, sandbox: SandboxControl
    ) -> None:
        sandbox.set(latency_ms=500)
        cards = ["pm_card_visa", "pm_card_visa", "pm_card_visa", DECLINED]
        placed = [app.buy((goods.candle.sku, 1), card=cards[n % 4]) for n in range(20)]
        before = live_stack.pid("worker")

        live_stack.kill("worker")

        sandbox.set()
        endings = [app.follow(order, "CONFIRMED", "PAYMENT_FAILED")["status"] for order in placed]
        assert Counter(endings) == {"CONFIRMED": 15, "PAYMENT_FAILED": 5}
        assert live_stack.pid("worker") != before
        for order in placed:
            moves = app.moves(order)
            assert moves in (PAID, ["PENDING", "PAYMENT_FAILED"]), "no step is told twice"
