"""The shop is no mail relay: no one can make it mail a stranger, or choose the text."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from apps.notifications import delivery
from apps.notifications.models import Notification
from apps.orders import email_moments
from apps.web.tasks import send_password_reset
from tests.factories import ADDRESS, UserFactory, make_alice
from tests.failures.shoppers import CHALLENGE, DECLINED, Shopper
from tests.orders.purchases import Shop, committed_database, shop
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["committed_database", "sandbox", "sandbox_process", "shop"]

SPAM = "You won! http://evil.example/prize www.evil.example evil.example bob@evil.example"


def sent_kinds() -> list[str]:
    """The last words of the subjects of what was sent: … cancelled, … did not go through."""
    delivery.deliver_due()
    return [message.subject.split()[-1] for message in mail.outbox]


def withheld() -> list[str]:
    rows = Notification.objects.filter(state="suppressed").order_by("id")
    return list(rows.values_list("last_error", flat=True))


def test_twelve_orders_with_a_bad_card_send_nothing_to_whom_they_name(shop: Shop) -> None:
    victim = Shopper(shop, "victim")
    orders = []
    for number in range(12):
        order_id = victim.buys(
            payment_method=DECLINED,
            email=f"victim+{number}@example.com",
            shipping_address=ADDRESS | {"name": SPAM, "city": SPAM},
        )
        shop.run()
        assert victim.sees(order_id) == "PAYMENT_FAILED"
        shop.pass_deadline(order_id)
        shop.run()
        orders.append(order_id)

    assert sent_kinds() == []
    assert withheld() == [email_moments.TOO_EARLY] * 24, "declined, and called off"
    for order_id in orders:
        assert victim.sees(order_id) == "CANCELLED"
        events = victim.get(
            f"/orders/{order_id}/events/", X_Order_Token=victim.tokens[order_id]
        ).json()
        assert "declined" in str(events), "the page and the API say what happened"
        shop.assert_cancelled(order_id)


def test_a_challenge_that_is_not_answered_sends_nothing(shop: Shop) -> None:
    victim = Shopper(shop, "victim")
    order_id = victim.buys(payment_method=CHALLENGE)
    shop.run()
    assert victim.sees(order_id) == "REQUIRES_ACTION"

    assert victim.cancels(order_id).status_code == 202
    shop.run()

    assert victim.sees(order_id) == "CANCELLED"
    assert (sent_kinds(), withheld()) == ([], [email_moments.TOO_EARLY])


def test_shopper_who_refused_at_the_bank_gets_a_mail(shop: Shop) -> None:
    alice = Shopper(shop)
    order_id = alice.buys(payment_method=CHALLENGE)
    shop.run()
    shop.answer_challenge(order_id, "refuse")
    shop.hear()
    shop.run()

    assert alice.sees(order_id) == "PAYMENT_FAILED"
    assert sent_kinds() == ["declined"]
    shop.pass_deadline(order_id)
    shop.run()
    assert alice.sees(order_id) == "CANCELLED"
    assert sent_kinds() == ["declined", "through"]


def test_shopper_whose_money_was_reserved_gets_a_mail(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.shipping.parcels.create_labels", lambda requests: {})
    Shopper(shop).buys()
    shop.run()

    assert sent_kinds() == ["cancelled"]


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("has_paid", [True, False])
def test_an_account_gets_mail_at_its_own_mailbox_once_it_has_paid(
    shop: Shop, own: bool, has_paid: bool
) -> None:
    alice = Shopper(shop)
    alice.as_user(UserFactory(email="alice+shop@example.com"))
    if has_paid:
        alice.buys()
        shop.run()
    alice.buys(payment_method=DECLINED, email="alice@example.com" if own else "bob@example.com")
    shop.run()

    assert sent_kinds() == ["confirmed"] * has_paid + ["declined"] * (own and has_paid)


def test_a_strangers_words_in_a_mail_have_nothing_to_click(shop: Shop) -> None:
    alice = Shopper(shop)
    address = dict.fromkeys(("name", "line1", "line2", "city"), SPAM)
    alice.buys(shipping_address=ADDRESS | address)
    shop.run()

    assert sent_kinds() == ["confirmed"]
    (message,) = mail.outbox
    assert message.body.startswith("Hello You won! evil example,\n")
    assert "evil.example" not in message.body + message.subject
    assert re.findall(r"https?://\S+|www\.\S+|\S+@\S+", message.body) == re.findall(
        r"http://127.0.0.1:\d+/orders/\S+", message.body
    )
    assert max(map(len, message.body.splitlines())) < 200


# --- New passwords ------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that runs each task at once."""
    monkeypatch.setattr(
        send_password_reset, "apply_async", lambda args, **_: send_password_reset(*args)
    )


def asks(email: str, address: str = "198.51.100.1") -> Any:
    return Client(REMOTE_ADDR=address).post("/account/password/reset/", {"email": email})


@pytest.mark.django_db
@pytest.mark.usefixtures("asked")
def test_resets_asked_from_everywhere_are_one_mail_and_one_answer() -> None:
    make_alice()
    UserFactory(email="alice+work@example.com")

    pages = [
        re.sub(r'name="csrf\S+ value="\S+"', "", asks(email, f"198.51.100.{n}").content.decode())
        for n, email in enumerate(
            ["alice@example.com", "Alice@Example.com", "alice+work@example.com", "no@example.com"]
        )
    ]
    delivery.deliver_due()

    assert len(mail.outbox) == 1
    assert "Look into your mail." in pages[0]
    assert set(pages) == {pages[0]}
    assert Notification.objects.filter(state="suppressed", kind="password_reset").count() == 2


@pytest.mark.django_db
@pytest.mark.usefixtures("asked")
def test_the_link_to_a_new_password_is_in_no_row() -> None:
    make_alice()
    asks("alice@example.com")
    delivery.deliver_due()

    link = re.search(r"/account/password/new/\S+", mail.outbox[0].body)
    assert link is not None
    row = Notification.objects.get()
    assert (row.order_id, row.kind, row.body) == (None, "password_reset", "")
    assert link[0] not in str(Notification.objects.values())


@pytest.mark.django_db
@pytest.mark.usefixtures("asked")
def test_an_account_that_was_closed_meanwhile_gets_no_link() -> None:
    alice = make_alice()
    asks("alice@example.com")
    alice.is_active = False
    alice.save()

    assert delivery.deliver_due() == 0
    assert Notification.objects.get().state == "suppressed"


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
@pytest.mark.usefixtures("asked")
def test_repeated_requests_are_limited_alike_for_known_and_unknown(email: str) -> None:
    make_alice()

    statuses = [asks(email, f"198.51.100.{number}").status_code for number in range(12)]

    assert statuses == [200] * 10 + [429] * 2
    assert asks("another@example.com").status_code == 200


@pytest.mark.django_db
@pytest.mark.usefixtures("asked")
def test_one_address_asks_for_few_resets() -> None:
    statuses = [asks(f"shopper{number}@example.com").status_code for number in range(22)]

    assert statuses == [200] * 20 + [429] * 2
