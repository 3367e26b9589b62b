"""What a form sends is clean before a view reads it, in the shop and in the back office."""

import pytest
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from apps.core.clean_forms import cleaned
from apps.customers.models import User
from tests.factories import PASSWORD, TaxRateFactory, make_alice, make_clerk


def test_fields_keep_their_order_and_their_number() -> None:
    sent = QueryDict(mutable=True)
    for name, value in (("a", "1\u200b"), ("b", "2"), ("a", "3")):
        sent.appendlist(name, value)

    made = cleaned(sent)

    assert list(made.lists()) == [("a", ["1", "3"]), ("b", ["2"])]
    with pytest.raises(AttributeError):
        made["a"] = "x"


def test_clean_form_is_the_same_object() -> None:
    sent = QueryDict("a=1&name=M%C3%BCnchen")
    assert cleaned(sent) is sent


def test_passwords_are_as_they_were_typed() -> None:
    sent = QueryDict(mutable=True)
    for name in ("password", "new_password1", "old_password"):
        sent[name] = "pass\u200bword"
    assert cleaned(sent) is sent


@pytest.mark.django_db
def test_name_is_clean_in_the_account() -> None:
    alice = make_alice()
    browser = Client()
    browser.force_login(alice)

    browser.post("/account/profile/", {"which": "name", "name": "\u202eAl\u200bice"})

    assert User.objects.get().name == "Alice"


@pytest.mark.django_db
def test_password_with_an_invisible_character_signs_in() -> None:
    alice = make_alice(password="slow\u200bmorning-9")
    answer = Client().post(
        "/account/login/", {"email": alice.email, "password": "slow\u200bmorning-9"}
    )
    assert answer.status_code == 302


@pytest.mark.django_db
def test_back_office_keeps_clean_text() -> None:
    rate = TaxRateFactory(country="US", region="OR", name="none")
    office = Client()
    office.force_login(make_clerk())
    session = office.session
    session.save()

    office.post(
        reverse("admin:taxes_taxrate_change", args=[rate.pk]),
        {"country": "US", "region": "OR", "name": "No\u200b tax\u202c", "rate_bp": "0"},
    )

    rate.refresh_from_db()
    assert rate.name == "No tax"
    assert PASSWORD
