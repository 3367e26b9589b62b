"""An e-mail address is clean before it is checked, compared or kept, at every door."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.core.rate_limits import account_digest
from apps.customers import accounts
from apps.customers.errors import EmailTaken
from apps.customers.mailbox import mailbox_of
from apps.customers.models import User
from apps.orders.models import Order
from apps.promos.models import Redemption
from tests.api.conftest import Api, intake_drained, problem, shop  # noqa: F401
from tests.factories import ADDRESS, PASSWORD, PromoFactory, a_mug, make_alice, make_clerk

SPELLINGS = [
    "\u200balice@example.com\u200b",
    "ali\u00adce@exam\u200dple.com",
    "\u202aalice@example.com\u202c",
    "\ufeffalice@example.com",
    "alice@\u2060example.com",
    "\u00a0alice@example.com\u00a0",
    "ａｌｉｃｅ＠example.com",
    "Alice@Example.com\u3164",
]


@pytest.mark.parametrize("typed", SPELLINGS)
def test_one_mailbox_however_it_is_pasted(typed: str) -> None:
    assert mailbox_of(typed) == "alice@example.com"


@pytest.mark.parametrize("typed", SPELLINGS)
def test_guesses_at_one_account_are_counted_together(typed: str) -> None:
    assert account_digest(typed) == account_digest("alice@example.com")


@pytest.mark.django_db
@pytest.mark.parametrize("typed", SPELLINGS)
def test_no_second_account_and_the_first_signs_in(typed: str) -> None:
    alice = accounts.register(typed, "slow-morning-9", "Al\u200bice \u202e Archer")
    assert (alice.email, alice.name) == ("alice@example.com", "Alice Archer")
    assert User.objects.get_by_natural_key(typed) == alice
    with pytest.raises(EmailTaken):
        accounts.register("alice@example.com", "slow-morning-9")


@pytest.mark.django_db
@pytest.mark.parametrize("typed", SPELLINGS)
def test_app_registers_and_signs_in(typed: str) -> None:
    make_alice()
    api = Api()

    given = {"email": typed, "password": PASSWORD}
    assert api.post("/auth/token/", given).status_code == 200
    taken = problem(api.post("/auth/register/", given), 400, "invalid")
    assert taken["errors"][0]["code"] == "email_taken"


@pytest.mark.django_db
@pytest.mark.parametrize("typed", SPELLINGS)
def test_page_registers_and_signs_in(typed: str) -> None:
    alice = make_alice()
    browser = Client()

    answer = browser.post("/account/login/", {"email": typed, "password": PASSWORD})
    assert answer.status_code == 302
    assert int(browser.session["_auth_user_id"]) == alice.pk

    given = {"email": typed, "password": "slow-morning-9", "name": "Alice"}
    answer = Client().post("/account/register/", given)
    assert answer.status_code == 400
    assert re.search("already an account", answer.content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize("typed", [one for one in SPELLINGS if "ａ" not in one])
def test_back_office_makes_no_second_account(typed: str) -> None:
    make_alice()
    office = Client()
    office.force_login(make_clerk())

    password = {"password1": "slow-morning-9", "password2": "slow-morning-9"}
    answer = office.post(reverse("admin:customers_user_add"), {"email": typed, **password})

    assert User.objects.filter(email__contains="alice").count() == 1, answer.content
    made = {"email": typed.replace("lice", "nna"), "name": "\u200bAnna", **password}
    office.post(reverse("admin:customers_user_add"), made)
    assert User.objects.filter(email="anna@example.com").exists() or "\u00ad" in typed


@pytest.mark.parametrize("typed", SPELLINGS[1:3])
def test_code_for_once_per_customer_is_used_once(shop: None, typed: str) -> None:  # noqa: F811
    mug = a_mug(stock=9)
    PromoFactory(code="WELCOME", customer_limit=1)
    api = Api()

    def order(email: str) -> Any:
        return api.checkout(
            {
                "lines": [{"sku": mug.sku, "quantity": 1}],
                "promo_code": "WELCOME",
                "email": email,
                "shipping_address": ADDRESS,
                "shipping_method": "standard",
                "payment_method": "pm_card_visa",
            }
        )

    assert order(typed).status_code == 202
    kept = Order.objects.get()
    assert (kept.email.lower(), kept.mailbox) == ("alice@example.com", "alice@example.com")
    Redemption.objects.update(use_number=1)  # it is paid
    problem(order("alice@example.com"), 409, "promo_used")
