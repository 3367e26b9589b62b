"""The shoppers: threads that buy like apps on unreliable phones.

Each purchase has one Idempotency-Key and is requested under it until it is answered: after a lost
connection, a time-out, a 5xx or a 503 the same request is sent again. After an answer that took
more than one request the same request is sent once more, and must get the very same answer.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import requests

from tools.faults.answer_log import (
    AGAIN,
    BROKEN,
    OVERLOADED,
    REFUSED,
    REPLAYED,
    AnswerLog,
    Attempt,
    outcome_of,
    outcome_without_answer,
)
from tools.faults.goods import HOT
from tools.faults.purchases import CHALLENGED, VISA, LoadSettings, Purchase, purchases

CONNECT_S, ANSWER_S = 3.0, 15.0


def buy_one(url: str, log: AnswerLog, *, key: str, email: str, card: str = VISA) -> str:
    """Order one unit of the hot SKU; the order's id. Raises when it is not accepted."""
    purchase = Purchase(number=0, key=key, lines=((HOT, 1),), card=card, email=email)
    answer = requests.post(
        f"{url}/api/v1/checkouts/",
        json=purchase.body,
        headers={"Idempotency-Key": key},
        timeout=(CONNECT_S, ANSWER_S),
    )
    answer.raise_for_status()
    order_id: str = answer.json()["order"]["id"]
    log.accept(key, order_id)
    return order_id


class Shoppers:
    """Threads that begin purchases at `settings.rate` a second, as long as a thread is free."""

    def __init__(self, *, url: str, seed: int, log: AnswerLog, threads: int = 40) -> None:
        self.url = url
        self.log = log
        self.settings = LoadSettings()
        self._source = purchases(seed, self.settings)
        self._lock = threading.Lock()
        self._next_at = time.monotonic()
        self._closing = threading.Event()
        self._cut_short = threading.Event()
        self._threads = [
            threading.Thread(target=self._shop, name=f"shopper-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self, *, patience: float = 60.0) -> None:
        """Begin no purchase; repeat requests until answered, for `patience` seconds at most."""
        self._closing.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._cut_short.set()
        for thread in self._threads:
            thread.join(CONNECT_S + ANSWER_S)

    def _shop(self) -> None:
        """What one thread does until the load is closed."""
        session = requests.Session()
        while not self._closing.is_set():
            with self._lock:
                now = time.monotonic()
                # Purchases that are late by more than a second are left out.
                begins = max(self._next_at, now - 1.0)
                self._next_at = begins + 1.0 / self.settings.rate
                purchase = next(self._source)
            self._closing.wait(max(0.0, begins - now))
            try:
                if purchase.number % 12 == 0:
                    self._browse(session)
                self._buy(session, purchase)
            except Exception as error:  # an error of one thread must not end the load
                self.log.complain(f"a shopper failed: {type(error).__name__}: {error}")

    def _browse(self, session: requests.Session) -> None:
        began = time.time()
        try:
            answer = session.get(f"{self.url}/p/{HOT.lower()}/", timeout=(CONNECT_S, ANSWER_S))
            outcome = BROKEN if answer.status_code == 500 else str(answer.status_code)
        except requests.RequestException as error:
            outcome = outcome_without_answer(error)
        self.log.browsed.append(Attempt(began, time.time() - began, outcome))

    def _buy(self, session: requests.Session, purchase: Purchase) -> None:
        body = purchase.body
        if purchase.by_cart and (cart := self._cart(session, purchase)):
            del body["lines"]
            body["cart"] = cart
        token = session.headers.pop("X-Cart-Token", None)
        cart_token = {"X-Cart-Token": str(token)} if token else {}
        order = self._request_until_answered(session, purchase, body, cart_token)
        if order is None:
            return
        if purchase.card == CHALLENGED and purchase.decision:
            self._pass_challenge(session, order, purchase.decision)
        if purchase.is_declined:
            for number, card in enumerate(purchase.pays_again):
                self._pay_again(session, order, card, key=f"{purchase.key}-{number}")
        if purchase.cancels:
            self._cut_short.wait(purchase.patience)
            self._try(
                lambda: session.post(
                    f"{self.url}/api/v1/orders/{order['id']}/cancel/",
                    headers={"X-Order-Token": order["token"]},
                    timeout=(CONNECT_S, ANSWER_S),
                )
            )

    def _request_until_answered(
        self,
        session: requests.Session,
        purchase: Purchase,
        body: dict[str, Any],
        cart_token: dict[str, str],
    ) -> dict[str, Any] | None:
        """The order as the 202 showed it, with its links; None when it was refused."""
        tries = 0
        while True:
            tries += 1
            outcome, answer = self._attempt(session, purchase.key, body, cart_token)
            if outcome not in AGAIN:
                break
            if self._cut_short.is_set():
                self.log.unanswered.add(purchase.key)
                return None
            self._cut_short.wait(min(2.0, 0.2 * 2**tries))
        if outcome == REFUSED or answer is None:
            return None
        accepted = answer.json()
        self.log.accept(purchase.key, accepted["order"]["id"])
        if tries > 1 or purchase.asks_again:
            self._request_again(session, purchase.key, body, cart_token, accepted)
        order: dict[str, Any] = accepted["order"] | {"links": accepted["links"]}
        return order

    def _attempt(
        self,
        session: requests.Session,
        key: str,
        body: dict[str, Any],
        cart_token: dict[str, str],
    ) -> tuple[str, requests.Response | None]:
        began = time.time()
        answer: requests.Response | None = None
        code = ""
        try:
            answer = session.post(
                f"{self.url}/api/v1/checkouts/",
                json=body,
                headers={"Idempotency-Key": key, **cart_token},
                timeout=(CONNECT_S, ANSWER_S),
            )
            outcome, code = outcome_of(answer)
            if outcome == OVERLOADED:
                code += f", Retry-After {answer.headers.get('Retry-After')}"
                if "Retry-After" not in answer.headers:
                    self.log.complain("a 503 without Retry-After")
        except requests.RequestException as error:
            outcome = outcome_without_answer(error)
        self.log.attempts.append(Attempt(began, time.time() - began, outcome, code))
        return outcome, answer

    def _request_again(
        self,
        session: requests.Session,
        key: str,
        body: dict[str, Any],
        cart_token: dict[str, str],
        accepted: dict[str, Any],
    ) -> None:
        outcome, answer = self._attempt(session, key, body, cart_token)
        if outcome in AGAIN or answer is None:
            return  # no answer is not a different answer
        self.log.replays.append(time.time())
        if outcome != REPLAYED or answer.json() != accepted:
            self.log.complain(f"key {key}: another answer the second time: {answer.text[:200]}")

    def _cart(self, session: requests.Session, purchase: Purchase) -> str:
        """The id of a cart with the purchase's lines; "" when none could be made."""
        limits = (CONNECT_S, ANSWER_S)
        try:
            made = session.post(f"{self.url}/api/v1/carts/", timeout=limits)
            if made.status_code != 201:
                return ""
            session.headers["X-Cart-Token"] = made.json()["token"]
            cart: str = made.json()["id"]
            for sku, quantity in purchase.lines:
                put = session.put(
                    f"{self.url}/api/v1/carts/{cart}/lines/{sku}/",
                    json={"quantity": quantity},
                    timeout=limits,
                )
                if put.status_code != 200:
                    return ""
        except requests.RequestException:
            return ""
        return cart

    def _pass_challenge(
        self, session: requests.Session, order: dict[str, Any], decision: str
    ) -> None:
        """Wait for the bank's page, then approve or refuse on it."""
        headers = {"X-Order-Token": order["token"]}
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline and not self._cut_short.is_set():
            status = self._try(
                lambda: session.get(order["links"]["status"], headers=headers, timeout=(3, 10))
            )
            shown = status.json() if status is not None and status.status_code == 200 else {}
            if (shown.get("next_action") or {}).get("type") == "redirect":
                self._decide(session, shown["next_action"]["url"], decision)
                return
            if shown.get("status") in ("CONFIRMED", "CANCELLED", "PAYMENT_FAILED"):
                return
            self._cut_short.wait(0.4)

    def _pay_again(
        self, session: requests.Session, order: dict[str, Any], card: str, *, key: str
    ) -> None:
        """Wait until the card was declined, then pay with `card`, twice under one key.

        It may be too late (409), or the answer may get lost: then the shopper gives up, and the
        order ends by itself.
        """
        headers = {"X-Order-Token": order["token"]}
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline and not self._cut_short.is_set():
            status = self._try(
                lambda: session.get(order["links"]["status"], headers=headers, timeout=(3, 10))
            )
            shown = status.json() if status is not None and status.status_code == 200 else {}
            action = shown.get("next_action") or {}
            if action.get("type") == "pay_again":
                for _ in range(2):
                    self._try(
                        lambda: session.post(
                            f"{self.url}/api/v1/orders/{order['id']}/payments/",
                            json={"payment_method": card},
                            headers=headers | {"Idempotency-Key": key},
                            timeout=(CONNECT_S, ANSWER_S),
                        )
                    )
                return
            if shown.get("status") in ("CONFIRMED", "CANCELLED"):
                return
            self._cut_short.wait(0.4)

    def _decide(self, session: requests.Session, page: str, decision: str) -> None:
        answer = {"decision": decision}
        self._try(
            lambda: session.post(page, data=answer, allow_redirects=False, timeout=(3, ANSWER_S))
        )

    @staticmethod
    def _try(request: Callable[[], requests.Response]) -> requests.Response | None:
        """The answer, or None: reading, deciding and cancelling may fail without harm."""
        try:
            return request()
        except requests.RequestException:
            return None
