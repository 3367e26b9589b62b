"""Shoppers of the running shop: one uses the API as an app does, one the forms as people do.

Both know the shop by its addresses only. What they were promised (a 202) is written down in
ACCEPTED, and at the end of each module held against the books (conftest.py).
"""

import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit
from uuid import uuid4

import requests

PATIENCE = 60.0  # seconds until an order must have come to an end, on a busy machine
VISA = "pm_card_visa"
MASTERCARD = "pm_card_mastercard"
DECLINED = "pm_card_visa_chargeDeclined"
NO_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
CHALLENGED = "pm_card_threeDSecure2Required"
ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",  # no sales tax: totals are easy to check by head
    "postal_code": "97201",
    "country": "US",
    "phone": "",
}
ENDINGS = frozenset({"CONFIRMED", "CANCELLED"})

ACCEPTED: list[str] = []


@dataclass(frozen=True)
class Placed:
    """An order as its 202 promised it."""

    id: str
    number: str
    token: str
    total: str
    links: dict[str, str]

    @classmethod
    def by(cls, answer: requests.Response) -> "Placed":
        assert answer.status_code == 202, answer.text
        order = answer.json()["order"]
        ACCEPTED.append(order["id"])
        assert order["total"]["currency"] == "USD"
        return cls(
            order["id"],
            order["number"],
            order["token"],
            order["total"]["amount"],
            answer.json()["links"],
        )


@dataclass
class App:
    """A shopper's app, or a script: the API and nothing else."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        sent = self.headers | {name.replace("_", "-"): text for name, text in headers.items()}
        address = path if path.startswith("http") else f"{self.url}/api/v1{path}"
        return self.session.request(method, address, json=body, headers=sent, timeout=60)

    def sign_in(self, email: str, password: str) -> None:
        answer = self.ask("POST", "/auth/token/", {"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        self.headers["Authorization"] = f"Bearer {answer.json()['access']}"

    def new_cart(self, *lines: tuple[str, int]) -> str:
        """The id of a new cart with `lines`; a guest's token goes along from now on."""
        made = self.ask("POST", "/carts/")
        assert made.status_code == 201, made.text
        if made.json()["token"]:
            self.headers["X-Cart-Token"] = made.json()["token"]
        cart: str = made.json()["id"]
        for sku, quantity in lines:
            put = self.ask("PUT", f"/carts/{cart}/lines/{sku}/", {"quantity": quantity})
            assert put.status_code == 200, put.text
        return cart

    def checkout(
        self, *lines: tuple[str, int], key: str = "", card: str = VISA, **changes: Any
    ) -> requests.Response:
        """Place an order: of `lines`, or of the `cart` among the changes."""
        body = {
            "email": "alice@example.com",
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": card,
        } | changes
        if lines:
            body["lines"] = [{"sku": sku, "quantity": quantity} for sku, quantity in lines]
        return self.ask("POST", "/checkouts/", body, Idempotency_Key=key or uuid4().hex)

    def buy(self, *lines: tuple[str, int], **changes: Any) -> Placed:
        return Placed.by(self.checkout(*lines, **changes))

    def order(self, placed: Placed) -> dict[str, Any]:
        answer = self.ask("GET", f"/orders/{placed.id}/", X_Order_Token=placed.token)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def follow(self, placed: Placed, *until: str) -> dict[str, Any]:
        """Poll the status as the page does without a socket, until it is one of `until`."""
        wanted = until or tuple(ENDINGS)
        etag = ""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self.ask(
                "GET", placed.links["status"], X_Order_Token=placed.token, If_None_Match=etag
            )
            if answer.status_code == 200:
                assert answer.headers["ETag"] != etag, "the same move twice"
                etag = answer.headers["ETag"]
                status: dict[str, Any] = answer.json()
                if status["status"] in wanted:
                    return status
            else:
                assert answer.status_code == 304, answer.text
                time.sleep(0.05)
        raise AssertionError(f"{placed.number} is {status['status']}, not {' or '.join(wanted)}")

    def pay_again(self, placed: Placed, card: str) -> None:
        """Try another card, after one was declined."""
        body = {"payment_method": card}
        answer = self.ask(
            "POST", f"/orders/{placed.id}/payments/", body, X_Order_Token=placed.token
        )
        assert answer.status_code == 202, answer.text

    def cancel(self, placed: Placed) -> None:
        answer = self.ask("POST", f"/orders/{placed.id}/cancel/", X_Order_Token=placed.token)
        assert answer.status_code == 202, answer.text

    def moves(self, placed: Placed) -> list[str]:
        """Every status the order had; that `seq` counts them without a gap is asserted."""
        answer = self.ask("GET", placed.links["events"], X_Order_Token=placed.token)
        assert answer.status_code == 200, answer.text
        found = answer.json()["results"]
        assert [move["seq"] for move in found] == list(range(1, len(found) + 1))
        return [move["status"] for move in found]

    def available(self, sku: str, slug: str) -> int:
        answer = self.ask("GET", f"/products/{slug}/")
        assert answer.status_code == 200, answer.text
        (found,) = [v["available"] for v in answer.json()["variants"] if v["sku"] == sku]
        return int(found)


def answer_challenge(address: str, decision: str) -> requests.Response:
    """Open the bank's page, press `approve` or `refuse`; the shop's page that it leads back to."""
    person = requests.Session()
    page = person.get(address, timeout=60)
    assert page.status_code == 200, page.text
    assert 'value="approve"' in page.text
    assert 'value="refuse"' in page.text
    answer = person.post(address, {"decision": decision}, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


# --- Pages ----------------------------------------------------------------------------------------


class _Form(HTMLParser):
    """What a browser without scripts would send with the page's form for `action`."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.found = False
        self._action, self._inside, self._select = action, False, ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.found and given.get("method", "").lower() == "post":
            self.found = self._inside = given.get("action") == self._action
        if not self._inside:
            return
        if tag == "input" and given.get("name"):
            if given.get("type") not in ("radio", "checkbox") or "checked" in given:
                self.fields[given["name"]] = given.get("value", "")
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and "selected" in given:
            self.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Browser:
    """A browser with JavaScript off: pages, cookies, forms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self.page: requests.Response

    @property
    def text(self) -> str:
        return self.page.text

    @property
    def path(self) -> str:
        """Where it is now, after redirects."""
        return urlsplit(self.page.url).path

    def open(self, path: str) -> "Browser":
        self.page = self._session.get(urljoin(self.url, path), timeout=60)
        return self

    def submit(self, action: str, **typed: str) -> "Browser":
        """Send the form that posts to `action`, as it stands, with what was typed."""
        form = _Form(action)
        form.feed(self.page.text)
        assert form.found, f"no form for {action} on {self.page.url}"
        self.page = self._session.post(
            urljoin(self.url, action),
            form.fields | typed,
            headers={"Referer": self.page.url, "Origin": self.url},
            timeout=60,
        )
        return self

    def add_to_cart(self, slug: str, quantity: int = 1) -> "Browser":
        self.open(f"/p/{slug}/")
        assert self.page.status_code == 200, slug
        return self.submit(f"/p/{slug}/", quantity=str(quantity))

    def check_out(self, *, card: str = VISA, email: str = "alice@example.com") -> "Browser":
        """From the cart to the answer to "place order"."""
        self.open("/checkout/")
        return self.submit("/checkout/", email=email, payment_method=card, **ADDRESS)

    def placed(self) -> Placed:
        """The order whose page this is."""
        assert self.path.startswith("/orders/"), (self.page.status_code, self.page.url)
        order_id = self.path.split("/")[2]
        token = parse_qs(urlsplit(self.page.url).query)["token"][0]
        ACCEPTED.append(order_id)
        itself = f"{self.url}/api/v1/orders/{order_id}/"
        links = {"self": itself, "status": f"{itself}status/", "events": f"{itself}events/"}
        return Placed(order_id, "", token, "", links)


# --- Crowds ---------------------------------------------------------------------------------------


def crowd(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What `count` shoppers who start together came to; an error is an answer."""
    answers: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            answers[number] = work(number)
        except Exception as error:
            answers[number] = error

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def codes(answers: Iterable[requests.Response]) -> list[str]:
    """`"202"`, or the code of each refusal."""
    return [
        "202" if answer.status_code == 202 else str(json.loads(answer.content)["code"])
        for answer in answers
    ]
