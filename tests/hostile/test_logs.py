"""After every kind of success and failure: no secret is in a log, an error page or a mail.

The search itself is shown to find each of them first, planted in a log of its own.
"""

import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import psycopg.sql
import pytest
import requests
from django.conf import settings
from psycopg.types.json import Jsonb

from tests.journeys.shopper import (
    CHALLENGED,
    DECLINED,
    VISA,
    App,
    Browser,
    Placed,
    answer_challenge,
)
from tools.stack import Stack

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
    """What must not be found: patterns of secrets, and the secret values of this run."""

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
    """(secrets, logs, every page and answer that showed an error)."""
    secrets, shown = Secrets(), []
    file = tmp_path_factory.mktemp("logs") / "goods.csv"
    file.write_text(GOODS)
    done = live_stack.manage("import_catalog", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    logs = Logs(live_stack.home, Path(settings.STOREFRONT_HOME))
    url = live_stack.url
    with psycopg.connect(live_stack.database_url, autocommit=True) as books:
        for (secret,) in books.execute("SELECT secret FROM djstripe_webhookendpoint"):
            secrets.add("a webhook's secret", secret)
        email = by_api(url, secrets, shown)
        in_the_database(books, email, secrets)
        order = by_page(url, secrets, shown)
        at_the_webhook(url, books, shown)
        in_trouble(live_stack, books, order, secrets, shown)
    yield secrets, logs, shown


def by_api(url: str, secrets: Secrets, shown: list[str]) -> str:
    """Register, sign in, wrong passwords, cards where none belong, a declined card, 3-D Secure.

    The registered e-mail address.
    """
    app, password = App(url), secrets.add("a password", f"Pass-{uuid.uuid4().hex}")
    email = secrets.add("an e-mail address", f"{uuid.uuid4().hex}@example.com")
    registered = app.ask("POST", "/auth/register/", {"email": email, "password": password})
    assert registered.status_code == 201, registered.text
    tokens = app.ask("POST", "/auth/token/", {"email": email, "password": password}).json()
    for name, token in tokens.items():
        secrets.add(f"the {name} token", token)
    shown.append(app.ask("POST", "/auth/token/", {"email": email, "password": password + "x"}).text)
    for broken in (tokens["access"][:-3], f"{tokens['access']}\x7f", CARD):
        shown.append(app.ask("GET", "/me/", Authorization=f"Bearer {broken}").text)
    for card in CARDS:
        shown.append(app.checkout((SKU, 1), card=card).text)
        shown.append(app.checkout((SKU, 1), note=f"my card is {card}").text)
        shown.append(app.ask("GET", f"/products/?search={card}&ordering={card}").text)
        shown.append(app.ask("GET", f"/products/{card}/").text)
        shown.append(app.checkout((SKU, 1), key=card.replace(" ", ""), card="none").text)
    declined = app.buy((SKU, 1), card=DECLINED)
    asked = app.buy((SKU, 1), card=CHALLENGED)
    paid = app.buy((SKU, 1), card=VISA)
    for placed in (declined, asked, paid):
        secrets.add("an order's token", placed.token)
        shown.append(app.ask("GET", f"/orders/{placed.id}/", X_Order_Token=placed.token[:-1]).text)
    app.follow(declined, "PAYMENT_FAILED")
    action = app.follow(asked, "REQUIRES_ACTION")["next_action"]
    back = answer_challenge(action["url"], "approve")
    for shape in (SHAPES["a client secret"],):
        for secret in shape.findall(" ".join(h.headers.get("Location", "") for h in back.history)):
            secrets.add("this order's client secret", secret)
    app.follow(paid, "CONFIRMED")
    app.follow(asked, "CONFIRMED")
    return email


def in_the_database(books: "psycopg.Connection", email: str, secrets: Secrets) -> None:
    """Statements that fail, or wait for a lock, with a person's row and a payment's secret in them.

    As Django writes them: the values stand in the text.
    """
    row = books.execute("SELECT password FROM customers_user WHERE email = %s", [email])
    (hashed,) = row.fetchone() or ("",)
    secrets.add("a password's hash", hashed)
    name = secrets.add("a name", f"Ann-{uuid.uuid4().hex}")
    secret = secrets.add("a payment's client secret", f"pi_{'2' * 24}_secret_{uuid.uuid4().hex}")
    person = psycopg.sql.SQL(
        "UPDATE customers_user SET email = {}, password = {}, name = {}, joined_at = {}"
        " WHERE email = 'alice@kettleandpine.example'"
    )
    for joined, refusal in (("now", psycopg.errors.UniqueViolation), ("soon", psycopg.DataError)):
        with pytest.raises(refusal):
            books.execute(person.format(email, hashed, name, joined))
    waits = psycopg.sql.SQL("UPDATE customers_user SET name = {} WHERE email = {}")
    with psycopg.connect(books.info.dsn) as other:
        other.execute(waits.format(name, email))
        books.execute("SET deadlock_timeout = '50ms'; SET lock_timeout = '300ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            books.execute(waits.format(secret, email))
        books.execute("RESET deadlock_timeout; RESET lock_timeout")
        other.rollback()


def by_page(url: str, secrets: Secrets, shown: list[str]) -> Placed:
    """The same with a browser; returns the order."""
    browser = Browser(url)
    browser.open("/account/login/")
    wrong = secrets.add("a mistyped password", f"Mist-{uuid.uuid4().hex}")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', browser.text)
    assert token is not None
    typed = {"email": "alice@kettleandpine.example", "password": wrong}
    shown.append(
        browser._session.post(
            f"{url}/account/login/", typed | {"csrfmiddlewaretoken": token[1]}, timeout=30
        ).text
    )
    browser.open(f"/search/?q={CARD}&sort={CARD}")
    browser.add_to_cart(SLUG)
    browser.check_out(card=CARD)
    shown.append(browser.page.text)
    browser.check_out(card=VISA)
    placed = browser.placed()
    secrets.add("an order's token", placed.token)
    for cookie in browser._session.cookies:
        if cookie.name == "sessionid":
            secrets.add("a session's key", cookie.value)
    leaked = secrets.add("a client secret by query", f"pi_{'1' * 24}_secret_{uuid.uuid4().hex}")
    browser.open(f"/orders/{placed.id}/?payment_intent_client_secret={leaked}&payment_intent=x")
    shown.append(browser.open(f"/nowhere/{CARD}/?s={leaked}&token={placed.token}").page.text)
    return placed


def at_the_webhook(url: str, books: "psycopg.Connection", shown: list[str]) -> None:
    """Forged webhooks, and genuine ones without meaning."""
    found = books.execute("SELECT djstripe_uuid, secret FROM djstripe_webhookendpoint").fetchone()
    assert found is not None
    for signature in (f"t=1,v1={found[1]}", found[1], f"t={int(time.time())},v1={'0' * 64}"):
        body = {"id": "evt_1", "client_secret": f"pi_1_secret_{uuid.uuid4().hex}", "number": CARD}
        answer = requests.post(
            f"{url}/stripe/webhook/{found[0]}/", json=body, timeout=30,
            headers={"Stripe-Signature": signature},
        )  # fmt: skip
        assert answer.status_code == 400
        shown.append(answer.text)


def in_trouble(
    stack: Stack, books: "psycopg.Connection", order: Placed, secrets: Secrets, shown: list[str]
) -> None:
    """A page and a call that fail half-way, a gateway that answers nonsense."""
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
        shown.append(page.text)
    finally:
        books.execute(change, [Jsonb(kept), order.id])
    # The gateway answers with errors of its own, whose words end in our logs.
    app.follow(app.buy((SKU, 1), card="pm_sandbox_error_500_before_2"))
    shown.append(app.ask("GET", f"{stack.url}/metrics").text)
    shown.append(app.ask("GET", f"{stack.url}/readyz").text)


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

    everything = "".join(said.values())
    assert "Traceback" in everything, "the broken page is in the log"
    for trouble in ("violates unique constraint", "still waiting for", "due to lock timeout"):
        assert trouble in everything, "PostgreSQL's log is among them"
    found = {file: secrets.found_in(text) for file, text in said.items()}
    assert {file: what for file, what in found.items() if what} == {}


def test_no_error_answer_has_a_secret(day) -> None:
    """Pages that show an order carry its token by design; these are not such pages."""
    secrets, _, shown = day

    # A page's own CSRF token and key are no secrets of others.
    found = [(secrets.found_in(text), text[:200]) for text in shown]
    # The API says back which order or promo was asked for, never what opened it.
    assert [entry for entry in found if entry[0]] == []


def test_no_mail_has_a_secret_but_the_link_it_is_sent_for(day, live_stack: Stack) -> None:
    secrets, _, _ = day
    mails = list((live_stack.home / "mail").glob("*"))
    deadline = time.monotonic() + 60
    while not mails and time.monotonic() < deadline:
        time.sleep(0.2)
        mails = list((live_stack.home / "mail").glob("*"))

    assert mails, "mail was sent"
    for sent in mails:
        text = sent.read_text(errors="replace").replace("=\n", "")
        shown = ("an order's token", "an e-mail address", "a name")
        assert secrets.found_in(text, but=shown) == set(), sent


def test_logs_and_mail_are_readable_by_their_owner_alone(day, live_stack: Stack) -> None:
    homes = (live_stack.home, Path(settings.STOREFRONT_HOME))
    logs = [home / "logs" / f"{name}.log" for home in homes for name in ("postgres", "redis-carts")]
    mail = live_stack.home / "mail"
    private = [file for file in (*logs, *mail.glob("*")) if file.exists()]

    assert len(private) > 2
    assert {file: oct(file.stat().st_mode & 0o777) for file in private} == dict.fromkeys(
        private, "0o600"
    )
    for folder in (mail, *(home / "logs" for home in homes)):
        assert folder.stat().st_mode & 0o777 == 0o700
