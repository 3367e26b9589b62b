"""After a day of everything that goes well and wrong: no secret in a log, an error page or a mail.

The search itself is shown to find each of them first, planted in a log of its own.
"""

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
import requests
from django.conf import settings
from psycopg.types.json import Jsonb

from storefront.stack import Stack
from tests.journeys.shopper import (
    CHALLENGED,
    DECLINED,
    VISA,
    App,
    Browser,
    Placed,
    answer_challenge,
)

pytestmark = pytest.mark.journey

SKU, SLUG = "LOGBOOK", "logbook"
GOODS = (
    "Handle,Title,Body (HTML),Vendor,Type,Published,Variant SKU,Variant Grams,"
    "Variant Inventory Qty,Variant Price,Variant Requires Shipping,Variant Taxable\n"
    f"{SLUG},Logbook,x,K,Hostile,true,{SKU},100,500,10.00,true,true\n"
)
CARD = "4242424242424242"
CARDS = [CARD, "4242 4242 4242 4242", "4242-4242-4242-4242", "5555555555554444"]
SHAPES = {
    "a secret key": re.compile(r"\b[sr]k_(?:test|live)_\w+"),
    "a webhook secret": re.compile(r"\bwhsec_\w+"),
    "a client secret": re.compile(r"\bpi_\w+_secret_\w+"),
    "a JWT": re.compile(r"\beyJ[\w-]{10,}\.[\w-]+"),
}


@dataclass
class Secrets:
    """What nobody may read afterwards: shapes, and the very values of this day."""

    values: dict[str, str] = field(default_factory=dict)

    def add(self, what: str, value: str) -> str:
        assert len(value) >= 8, what
        self.values[value] = what
        return value

    def found_in(self, text: str, *, but: tuple[str, ...] = ()) -> set[str]:
        found = {what for what, shape in SHAPES.items() if shape.search(text)}
        found |= {what for value, what in self.values.items() if value in text}
        digits = re.sub(r"(?<=\d)[ \-.](?=\d)", "", text)
        if any(re.sub(r"\D", "", card) in digits for card in CARDS):
            found.add("a card number")
        return found - set(but)


class Logs:
    """What the shop's processes and servers have written since this was made."""

    def __init__(self, *homes: Path) -> None:
        self._folders = [home / "logs" for home in homes]
        self._read = {file: file.stat().st_size for file in self._files()}

    def _files(self) -> list[Path]:
        return [f for folder in self._folders for f in folder.glob("*.log*") if f.is_file()]

    def new(self) -> dict[str, str]:
        said = {}
        for file in self._files():
            with file.open("rb") as log:
                log.seek(self._read.get(file, 0))
                said[str(file)] = log.read().decode("utf-8", "replace")
        return said


@pytest.fixture(scope="module")
def day(
    live_stack: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Secrets, Logs, list[str]]]:
    """(secrets, logs, every page and answer that told of an error)."""
    secrets, told = Secrets(), []
    file = tmp_path_factory.mktemp("logs") / "goods.csv"
    file.write_text(GOODS)
    done = live_stack.manage("import_catalog", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    logs = Logs(live_stack.home, Path(settings.STOREFRONT_HOME))
    url = live_stack.url
    with psycopg.connect(live_stack.database_url, autocommit=True) as books:
        for (secret,) in books.execute("SELECT secret FROM djstripe_webhookendpoint"):
            secrets.add("a webhook's secret", secret)
        by_api(url, secrets, told)
        order = by_page(url, secrets, told)
        at_the_webhook(url, books, told)
        in_trouble(live_stack, books, order, secrets, told)
    yield secrets, logs, told


def by_api(url: str, secrets: Secrets, told: list[str]) -> None:
    """Register, sign in, wrong passwords, cards where none belong, a declined card, 3-D Secure."""
    app, password = App(url), secrets.add("a password", f"Pass-{uuid.uuid4().hex}")
    email = f"{uuid.uuid4().hex}@example.com"
    app.ask("POST", "/auth/register/", {"email": email, "password": password})
    tokens = app.ask("POST", "/auth/token/", {"email": email, "password": password}).json()
    for name, token in tokens.items():
        secrets.add(f"the {name} token", token)
    told.append(app.ask("POST", "/auth/token/", {"email": email, "password": password + "x"}).text)
    for broken in (tokens["access"][:-3], f"{tokens['access']}\x7f", CARD):
        told.append(app.ask("GET", "/me/", Authorization=f"Bearer {broken}").text)
    for card in CARDS:
        told.append(app.checkout((SKU, 1), card=card).text)
        told.append(app.checkout((SKU, 1), note=f"my card is {card}").text)
        told.append(app.ask("GET", f"/products/?search={card}&ordering={card}").text)
        told.append(app.ask("GET", f"/products/{card}/").text)
        told.append(app.checkout((SKU, 1), key=card.replace(" ", ""), card="none").text)
    declined = app.buy((SKU, 1), card=DECLINED)
    asked = app.buy((SKU, 1), card=CHALLENGED)
    paid = app.buy((SKU, 1), card=VISA)
    for placed in (declined, asked, paid):
        secrets.add("an order's token", placed.token)
        told.append(app.ask("GET", f"/orders/{placed.id}/", X_Order_Token=placed.token[:-1]).text)
    app.follow(declined, "CANCELLED")
    action = app.follow(asked, "REQUIRES_ACTION")["next_action"]
    back = answer_challenge(action["url"], "approve")
    for shape in (SHAPES["a client secret"],):
        for secret in shape.findall(" ".join(h.headers.get("Location", "") for h in back.history)):
            secrets.add("this order's client secret", secret)
    app.follow(paid, "CONFIRMED")
    app.follow(asked, "CONFIRMED")


def by_page(url: str, secrets: Secrets, told: list[str]) -> Placed:
    """The same with a browser; the order made."""
    browser = Browser(url)
    browser.open("/account/login/")
    wrong = secrets.add("a mistyped password", f"Mist-{uuid.uuid4().hex}")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.text)
    assert token is not None
    typed = {"email": "alice@kettleandpine.example", "password": wrong}
    told.append(
        browser._session.post(
            f"{url}/account/login/", typed | {"csrfmiddlewaretoken": token[1]}, timeout=30
        ).text
    )
    browser.open(f"/search/?q={CARD}&sort={CARD}")
    browser.add_to_cart(SLUG)
    browser.check_out(card=CARD)
    told.append(browser.page.text)
    browser.check_out(card=VISA)
    placed = browser.placed()
    secrets.add("an order's token", placed.token)
    for cookie in browser._session.cookies:
        if cookie.name == "sessionid":
            secrets.add("a session's key", cookie.value)
    leaked = secrets.add("a client secret by query", f"pi_{'1' * 24}_secret_{uuid.uuid4().hex}")
    browser.open(f"/orders/{placed.id}/?payment_intent_client_secret={leaked}&payment_intent=x")
    told.append(browser.open(f"/nowhere/{CARD}/?s={leaked}&token={placed.token}").page.text)
    return placed


def at_the_webhook(url: str, books: "psycopg.Connection", told: list[str]) -> None:
    """Forged, and genuine of no sense."""
    found = books.execute("SELECT djstripe_uuid, secret FROM djstripe_webhookendpoint").fetchone()
    assert found is not None
    for signature in (f"t=1,v1={found[1]}", found[1], f"t={int(time.time())},v1={'0' * 64}"):
        body = {"id": "evt_1", "client_secret": f"pi_1_secret_{uuid.uuid4().hex}", "number": CARD}
        answer = requests.post(
            f"{url}/stripe/webhook/{found[0]}/", json=body, timeout=30,
            headers={"Stripe-Signature": signature},
        )  # fmt: skip
        assert answer.status_code == 400
        told.append(answer.text)


def in_trouble(
    stack: Stack, books: "psycopg.Connection", order: Placed, secrets: Secrets, told: list[str]
) -> None:
    """A page and a call that break in the middle, a gateway that answers nonsense."""
    app = App(stack.url)
    session = next(v for v, what in secrets.values.items() if what == "a session's key")
    jwt = next(v for v, what in secrets.values.items() if what == "the access token")
    change = "UPDATE orders_order SET shipping_address = %s WHERE id = %s"
    row = books.execute("SELECT shipping_address FROM orders_order WHERE id = %s", [order.id])
    (kept,) = row.fetchone() or ({},)
    books.execute(change, [Jsonb("broken"), order.id])
    try:
        page = requests.get(
            f"{stack.url}/orders/{order.id}/?token={order.token}", timeout=30,
            headers={"Cookie": f"sessionid={session}", "Authorization": f"Bearer {jwt}"},
        )  # fmt: skip
        assert page.status_code == 500, "this page is meant to break"
        told.append(page.text)
    finally:
        books.execute(change, [Jsonb(kept), order.id])
    # The gateway answers with errors of its own, whose words end in our logs.
    app.follow(app.buy((SKU, 1), card="pm_sandbox_error_500_before_2"))
    told.append(app.ask("GET", f"{stack.url}/metrics").text)
    told.append(app.ask("GET", f"{stack.url}/readyz").text)


def test_search_finds_what_is_planted(day, live_stack: Stack) -> None:
    secrets, _, _ = day
    planted = live_stack.home / "logs" / "planted.log"
    logs = Logs(live_stack.home)
    wanted = set(secrets.values.values()) | set(SHAPES) | {"a card number"}
    examples = {
        "a secret key": "sk_live_abc", "a webhook secret": "whsec_abc",
        "a client secret": "pi_1_secret_2", "a JWT": "eyJhbGciOiJIUzI1NiJ9.e30.x",
        "a card number": "paid with 4242-4242-4242-4242 today",
    } | {what: value for value, what in secrets.values.items()}  # fmt: skip
    try:
        for what in wanted:
            planted.write_text(f"2026-01-01 INFO {examples[what]}\n")
            assert what in secrets.found_in(logs.new()[str(planted)]), what
    finally:
        planted.unlink()


def test_no_log_has_a_secret(day) -> None:
    secrets, logs, _ = day
    said = logs.new()

    assert "Traceback" in "".join(said.values()), "the broken page is in the log"
    found = {file: secrets.found_in(text) for file, text in said.items()}
    assert {file: what for file, what in found.items() if what} == {}


def test_no_answer_that_tells_of_trouble_has_a_secret(day) -> None:
    """Pages that show an order carry its token by design; these are not such pages."""
    secrets, _, told = day

    # A page's own CSRF token and key are no secrets of anybody else.
    found = [(secrets.found_in(text), text[:200]) for text in told]
    # The API says back which order or promo was asked for, never what opened it.
    assert [entry for entry in found if entry[0]] == []


def test_no_mail_has_a_secret_but_the_link_it_is_sent_for(day, live_stack: Stack) -> None:
    secrets, _, _ = day
    letters = list((live_stack.home / "mail").glob("*"))
    deadline = time.monotonic() + 60
    while not letters and time.monotonic() < deadline:
        time.sleep(0.2)
        letters = list((live_stack.home / "mail").glob("*"))

    assert letters, "mail was sent"
    for letter in letters:
        text = letter.read_text(errors="replace").replace("=\n", "")
        assert secrets.found_in(text, but=("an order's token",)) == set(), letter
