"""The shoppers: who buys what, and what each of them was told.

They are apps on flaky phones. Each purchase has one Idempotency-Key and is asked for under it until
somebody answers: after a lost connection, a time-out, a 5xx or a 503 the same request goes out
again. What they were promised (a 202) is written to a file at once, outside the shop: the witness
for "nothing accepted is lost". Who had to ask twice asks once more after the answer, and must hear
the very same.

Who buys what is drawn from the seed and the number of the purchase, so that a run can be repeated.
"""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from faults.shop import COLD, HOT, PROMO, PROMO_ONCE, SCARCE

CONNECT_S, ANSWER_S = 3.0, 15.0
VISA, MASTERCARD = "pm_card_visa", "pm_card_mastercard"
DECLINED = "pm_card_visa_chargeDeclined"
NO_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
CHALLENGED = "pm_card_threeDSecure2Required"
CARDS = {VISA: 66, MASTERCARD: 10, DECLINED: 7, NO_FUNDS: 4, CHALLENGED: 13}
ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
    "phone": "",
}
# How an attempt ended. The first two are answers to keep, the next two are honest refusals.
ACCEPTED, REPLAYED, REFUSED, OVERLOADED = "accepted", "replayed", "refused", "503"
BROKEN, CUT_OFF, SILENT, IN_FLIGHT = "500", "cut off", "timed out", "in flight"
HONEST_503 = frozenset({"overloaded", "outcome_unknown"})
AGAIN = frozenset({OVERLOADED, BROKEN, CUT_OFF, SILENT, IN_FLIGHT})


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one shopper wants, and how she behaves afterwards."""

    number: int
    key: str
    lines: tuple[tuple[str, int], ...]
    card: str
    email: str
    promo: str = ""
    by_cart: bool = False
    cancels: bool = False
    decision: str = ""  # at the bank's page: approve, refuse, or nothing
    asks_again: bool = False
    patience: float = 0.0  # seconds until she cancels

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "email": self.email,
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": self.card,
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in self.lines],
        }
        return body | ({"promo_code": self.promo} if self.promo else {})


@dataclass(slots=True)
class Mood:
    """What can be changed about the shoppers while they shop."""

    rate: float = 20.0  # purchases a second that are begun
    opposite_carts: bool = False  # everybody wants the same goods, in one order or the other


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to the checkout and what came of it. `at` is time.time()."""

    at: float
    seconds: float
    outcome: str
    code: str = ""


@dataclass(slots=True)
class Told:
    """All that the shoppers were told. May be written from many threads."""

    log: Path
    attempts: list[Attempt] = field(default_factory=list)
    accepted: dict[str, str] = field(default_factory=dict)  # key → order id
    accepted_at: list[float] = field(default_factory=list)
    wrong: list[tuple[float, str]] = field(default_factory=list)
    replays: list[float] = field(default_factory=list)
    unanswered: set[str] = field(default_factory=set)
    browsed: list[Attempt] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def accept(self, key: str, order_id: str) -> None:
        """On paper before anything else happens."""
        with self._lock:
            self.accepted[key] = order_id
            self.accepted_at.append(time.time())
            with self.log.open("a") as file:
                file.write(f"{order_id}\n")

    def complain(self, text: str) -> None:
        self.wrong.append((time.time(), text))


def purchases(seed: int, mood: Mood) -> Iterator[Purchase]:
    """Purchases without end, the same for the same seed."""
    number = 0
    while True:
        number += 1
        yield _purchase(seed, number, mood)


def _purchase(seed: int, number: int, mood: Mood) -> Purchase:
    dice = random.Random(f"{seed}:{number}")
    if mood.opposite_carts:
        skus = [HOT, COLD[0], COLD[1]]
        if number % 2:
            skus.reverse()
    else:
        count = dice.choices((1, 2, 3), (55, 30, 15))[0]
        first = dice.choices((HOT, SCARCE, dice.choice(COLD)), (50, 8, 42))[0]
        rest = dice.sample([sku for sku in (HOT, *COLD) if sku != first], count - 1)
        skus = [first, *rest]
        dice.shuffle(skus)
    card = dice.choices(list(CARDS), list(CARDS.values()))[0]
    return Purchase(
        number=number,
        key=f"{dice.getrandbits(128):032x}",
        lines=tuple((sku, dice.choice((1, 1, 1, 2))) for sku in skus),
        card=card,
        email=f"shopper{dice.randrange(400)}@example.com",
        promo=dice.choices(("", PROMO, PROMO_ONCE), (86, 8, 6))[0],
        by_cart=dice.random() < 0.06,
        cancels=dice.random() < 0.07,
        decision=dice.choices(("approve", "refuse", ""), (60, 25, 15))[0],
        asks_again=dice.random() < 0.03,
        patience=dice.uniform(0.0, 3.0),
    )


def buy_one(url: str, told: Told, *, key: str, email: str, card: str = VISA) -> str:
    """One order of the hot goods, by itself; its id."""
    purchase = Purchase(number=0, key=key, lines=((HOT, 1),), card=card, email=email)
    answer = requests.post(
        f"{url}/api/v1/checkouts/",
        json=purchase.body,
        headers={"Idempotency-Key": key},
        timeout=(CONNECT_S, ANSWER_S),
    )
    answer.raise_for_status()
    order_id: str = answer.json()["order"]["id"]
    told.accept(key, order_id)
    return order_id


class Shoppers:
    """A crowd of threads; begins purchases at the mood's rate as long as it has threads free."""

    def __init__(self, *, url: str, seed: int, told: Told, threads: int = 40) -> None:
        self.url = url
        self.told = told
        self.mood = Mood()
        self._source = purchases(seed, self.mood)
        self._lock = threading.Lock()
        self._next_at = time.monotonic()
        self._closing = threading.Event()
        self._last_call = threading.Event()
        self._threads = [
            threading.Thread(target=self._shop, name=f"shopper-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self, *, patience: float = 60.0) -> None:
        """Nobody new comes in; who is asking goes on asking until answered, at most so long."""
        self._closing.set()
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._last_call.set()
        for thread in self._threads:
            thread.join(CONNECT_S + ANSWER_S)

    # --- One thread -------------------------------------------------------------------------------

    def _shop(self) -> None:
        session = requests.Session()
        while not self._closing.is_set():
            with self._lock:
                now = time.monotonic()
                # Behind the times by more than a second: those did not come at all.
                begins = max(self._next_at, now - 1.0)
                self._next_at = begins + 1.0 / self.mood.rate
                purchase = next(self._source)
            self._closing.wait(max(0.0, begins - now))
            try:
                if purchase.number % 12 == 0:
                    self._browse(session)
                self._buy(session, purchase)
            except Exception as error:  # a shopper of ours who stumbles must not end the crowd
                self.told.complain(f"a shopper stumbled: {type(error).__name__}: {error}")

    def _browse(self, session: requests.Session) -> None:
        began = time.time()
        try:
            answer = session.get(f"{self.url}/p/{HOT.lower()}/", timeout=(CONNECT_S, ANSWER_S))
            outcome = BROKEN if answer.status_code == 500 else str(answer.status_code)
        except requests.RequestException as error:
            outcome = _silence(error)
        self.told.browsed.append(Attempt(began, time.time() - began, outcome))

    def _buy(self, session: requests.Session, purchase: Purchase) -> None:
        body = purchase.body
        if purchase.by_cart and (cart := self._cart(session, purchase)):
            del body["lines"]
            body["cart"] = cart
        token = session.headers.pop("X-Cart-Token", None)
        cart_token = {"X-Cart-Token": str(token)} if token else {}
        order = self._until_answered(session, purchase, body, cart_token)
        if order is None:
            return
        if purchase.card == CHALLENGED and purchase.decision:
            self._at_the_bank(session, order, purchase.decision)
        if purchase.cancels:
            self._last_call.wait(purchase.patience)
            self._quietly(
                lambda: session.post(
                    f"{self.url}/api/v1/orders/{order['id']}/cancel/",
                    headers={"X-Order-Token": order["token"]},
                    timeout=(CONNECT_S, ANSWER_S),
                )
            )

    def _until_answered(
        self,
        session: requests.Session,
        purchase: Purchase,
        body: dict[str, Any],
        cart_token: dict[str, str],
    ) -> dict[str, Any] | None:
        """The order as its 202 promised it; None when it was refused."""
        tries = 0
        while True:
            tries += 1
            outcome, answer = self._attempt(session, purchase.key, body, cart_token)
            if outcome not in AGAIN:
                break
            if self._last_call.is_set():
                self.told.unanswered.add(purchase.key)
                return None
            self._last_call.wait(min(2.0, 0.2 * 2**tries))
        if outcome == REFUSED or answer is None:
            return None
        promise = answer.json()
        self.told.accept(purchase.key, promise["order"]["id"])
        if tries > 1 or purchase.asks_again:
            self._ask_once_more(session, purchase.key, body, cart_token, promise)
        order: dict[str, Any] = promise["order"] | {"links": promise["links"]}
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
            outcome, code = _outcome(answer)
            if outcome == OVERLOADED:
                code += f", Retry-After {answer.headers.get('Retry-After')}"
                if "Retry-After" not in answer.headers:
                    self.told.complain("a 503 without Retry-After")
        except requests.RequestException as error:
            outcome = _silence(error)
        self.told.attempts.append(Attempt(began, time.time() - began, outcome, code))
        return outcome, answer

    def _ask_once_more(
        self,
        session: requests.Session,
        key: str,
        body: dict[str, Any],
        cart_token: dict[str, str],
        promise: dict[str, Any],
    ) -> None:
        outcome, answer = self._attempt(session, key, body, cart_token)
        if outcome in AGAIN or answer is None:
            return  # no answer is no other answer
        self.told.replays.append(time.time())
        if outcome != REPLAYED or answer.json() != promise:
            self.told.complain(f"key {key}: another answer the second time: {answer.text[:200]}")

    def _cart(self, session: requests.Session, purchase: Purchase) -> str:
        """A cart with her things; empty when she could not get one, and buys without."""
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

    def _at_the_bank(self, session: requests.Session, order: dict[str, Any], decision: str) -> None:
        """Wait for the bank's page, and press a button on it."""
        headers = {"X-Order-Token": order["token"]}
        deadline = time.monotonic() + 15.0
        while time.monotonic() < deadline and not self._last_call.is_set():
            status = self._quietly(
                lambda: session.get(order["links"]["status"], headers=headers, timeout=(3, 10))
            )
            shown = status.json() if status is not None and status.status_code == 200 else {}
            if shown.get("next_action"):
                self._press(session, shown["next_action"]["url"], decision)
                return
            if shown.get("status") in ("CONFIRMED", "CANCELLED", "PAYMENT_FAILED"):
                return
            self._last_call.wait(0.4)

    def _press(self, session: requests.Session, page: str, decision: str) -> None:
        answer = {"decision": decision}
        self._quietly(
            lambda: session.post(page, data=answer, allow_redirects=False, timeout=(3, ANSWER_S))
        )

    @staticmethod
    def _quietly(ask: Callable[[], requests.Response]) -> requests.Response | None:
        """What may fail without harm: looking, pressing, cancelling."""
        try:
            return ask()
        except requests.RequestException:
            return None


def _outcome(answer: requests.Response) -> tuple[str, str]:
    if answer.status_code == 202:
        replayed = answer.headers.get("Idempotent-Replayed") == "true"
        return (REPLAYED if replayed else ACCEPTED), ""
    try:
        code = str(answer.json()["code"])
    except (json.JSONDecodeError, KeyError, TypeError, requests.RequestException):
        code = str(answer.status_code)
    if answer.status_code == 503:
        return (OVERLOADED if code in HONEST_503 else BROKEN), code
    if answer.status_code >= 500:
        return BROKEN, code
    return (IN_FLIGHT if code == "idempotency_in_flight" else REFUSED), code


def _silence(error: requests.RequestException) -> str:
    return SILENT if isinstance(error, requests.Timeout) else CUT_OFF
