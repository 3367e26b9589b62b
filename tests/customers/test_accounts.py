"""Registration: one account per e-mail address, also for concurrent requests."""

import threading

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from apps.customers import accounts
from apps.customers.errors import EmailTaken
from apps.customers.models import User
from tests.threads import at_once

pytestmark = pytest.mark.django_db
PASSWORD = "a-slow-morning-7"


def errors_of(*args, **kwargs):
    with pytest.raises(ValidationError) as refused:
        accounts.register(*args, **kwargs)
    assert not User.objects.exists()
    return {
        field: [error.code for error in errors]
        for field, errors in refused.value.error_dict.items()
    }


def test_an_account_is_opened():
    alice = accounts.register(" Alice@Example.COM ", PASSWORD, name="  Alice   Archer ")

    alice.refresh_from_db()
    assert (alice.email, alice.name) == ("alice@example.com", "Alice Archer")
    assert alice.check_password(PASSWORD)
    assert (alice.is_active, alice.is_staff, alice.is_superuser) == (True, False, False)


@pytest.mark.parametrize("email", ["alice@example.com", "ALICE@example.com", "ａlice@example.com"])
def test_an_address_has_one_account(email):
    accounts.register("alice@example.com", PASSWORD)

    with pytest.raises(EmailTaken):
        accounts.register(email, PASSWORD)

    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "email", ["", "alice", "alice@", "@example.com", "a b@example.com", "a\x00@example.com"]
)
def test_an_invalid_address_is_refused(email):
    assert errors_of(email, PASSWORD) == {"email": ["invalid"]}


def test_an_address_beyond_the_standard_is_refused():
    assert "email" in errors_of("a" * 250 + "@example.com", PASSWORD)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", "password_too_short"),
        ("short7!", "password_too_short"),
        ("password", "password_too_common"),
        ("alice@example.com", "password_too_similar"),
        ("x" * 1001, "password_too_long"),
        ("half a character \ud800", "invalid"),
    ],
)
def test_a_weak_password_is_refused(password, code):
    assert code in errors_of("alice@example.com", password)["password"]


def test_all_errors_are_reported_at_once():
    assert errors_of("alice", "short7!", name="x" * 121) == {
        "email": ["invalid"],
        "name": ["max_length"],
        "password": ["password_too_short"],
    }


def test_a_name_with_control_characters_is_refused():
    assert errors_of("alice@example.com", PASSWORD, name="Al\x00ice") == {"name": ["invalid"]}


def test_a_known_address_costs_as_much_work_as_a_new_one(monkeypatch):
    """Otherwise the time of the answer would reveal who has an account, before any limit is hit."""
    accounts.register("alice@example.com", PASSWORD)
    hashed = []
    monkeypatch.setattr(User, "set_password", lambda user, password: hashed.append(user.email))

    with pytest.raises(EmailTaken):
        accounts.register("alice@example.com", PASSWORD)

    assert hashed == ["alice@example.com"]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_gets_the_address():
    answers = at_once(8, lambda _: accounts.register("alice@example.com", PASSWORD))

    assert [type(answer) for answer in answers].count(EmailTaken) == 7
    assert User.objects.count() == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_a_check_before_the_insert_is_not_enough():
    """All four look, none finds the address, and only the constraint refuses three."""
    all_looked = threading.Barrier(4)

    def look_then_create(_):
        assert not User.objects.filter(email="alice@example.com").exists()
        all_looked.wait()
        User.objects.create_user("alice@example.com", PASSWORD)

    answers = at_once(4, look_then_create)

    assert [type(answer) for answer in answers].count(IntegrityError) == 3
