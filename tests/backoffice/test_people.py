"""Accounts in the back office, and that no one becomes more than they are."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from apps.customers.models import Address, User
from tests.backoffice.conftest import (
    Counting,
    an_order,
    errors,
    form_of,
    save,
    signed_in,
)
from tests.factories import (
    PASSWORD,
    AddressFactory,
    StaffFactory,
    UserFactory,
    make_alice,
    make_bob,
)

pytestmark = pytest.mark.django_db

LIST = reverse("admin:customers_user_changelist")


def page(user: User, view: str = "change") -> str:
    return reverse(f"admin:customers_user_{view}", args=[user.pk])


@pytest.fixture
def support(db: None) -> Client:
    """May edit customers, and is no superuser."""
    person = StaffFactory(email="desk@kettleandpine.example", is_superuser=False)
    person.user_permissions.set(
        Permission.objects.filter(content_type__app_label__in=["customers", "auth"])
    )
    return signed_in(person)


def rights(user: User) -> tuple[Any, ...]:
    user.refresh_from_db()
    return (
        user.is_staff,
        user.is_superuser,
        set(user.groups.values_list("name", flat=True)),
        user.user_permissions.count(),
    )


def test_customer_is_edited(support: Client) -> None:
    alice = make_alice()

    save(support, page(alice), name="Alice Baker", email="  Alice.B@Example.com ")

    alice.refresh_from_db()
    assert (alice.name, alice.email) == ("Alice Baker", "alice.b@example.com")
    assert alice.check_password(PASSWORD)


def test_email_of_another_account_is_refused(support: Client) -> None:
    alice = make_alice()
    make_bob()

    answer = save(support, page(alice), email="BOB@example.com")

    assert errors(answer) == {"email": ["There is an account with this e-mail address."]}


def test_only_a_superuser_gives_rights(support: Client) -> None:
    alice = make_alice()
    group = Group.objects.create(name="Everything")
    grab = {
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [group.pk],
        "user_permissions": list(Permission.objects.values_list("pk", flat=True)[:5]),
    }

    save(support, page(alice), **grab)

    assert rights(alice) == (False, False, set(), 0)


def test_only_a_superuser_touches_a_colleague(support: Client) -> None:
    boss = StaffFactory(email="boss@kettleandpine.example")
    myself = User.objects.get(email="desk@kettleandpine.example")
    for person in (boss, myself):
        change_password = reverse("admin:auth_user_password_change", args=[person.pk])
        sent = {"password1": "taken-over-9!", "password2": "taken-over-9!"}
        assert support.get(change_password).status_code == 403
        assert support.post(change_password, sent).status_code == 403
        assert support.post(page(person), {"email": "mine@example.com"}).status_code == 403
        assert support.post(page(person, "delete"), {"post": "yes"}).status_code == 403
        person.refresh_from_db()
        assert person.check_password(PASSWORD)


def test_support_sets_a_customers_password(support: Client) -> None:
    alice = make_alice()
    url = reverse("admin:auth_user_password_change", args=[alice.pk])

    answer = support.post(
        url, {"password1": "their-own-choice-9", "password2": "their-own-choice-9"}
    )

    assert answer.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("their-own-choice-9")


def test_roles_are_for_superusers(support: Client, staff: Client) -> None:
    group = Group.objects.create(name="Packers")
    url = reverse("admin:auth_group_change", args=[group.pk])

    assert support.get(url).status_code == 403
    assert support.post(url, {"name": "x"}).status_code == 403
    assert staff.post(url, {"name": "Packers", "permissions": []}).status_code == 302


def test_superuser_gives_rights(staff: Client) -> None:
    alice = make_alice()
    group = Group.objects.create(name="Packers")

    answer = save(staff, page(alice), is_staff="on", groups=[group.pk])

    assert answer.status_code == 302, errors(answer)
    assert rights(alice) == (True, False, {"Packers"}, 0)


def test_account_is_made_with_a_password(staff: Client) -> None:
    add = reverse("admin:customers_user_add")
    new = {"email": "Carol@Example.com", "name": "Carol", "usable_password": "true"}

    answer = staff.post(
        add, {**new, "password1": "a-slow-morning-7", "password2": "a-slow-morning-7"}
    )

    assert answer.status_code == 302, errors(answer)
    carol = User.objects.get(email="carol@example.com")
    assert carol.check_password("a-slow-morning-7") and not carol.is_staff


def test_page_shows_addresses_and_orders(staff: Client) -> None:
    alice = make_alice()
    AddressFactory(user=alice, line1="12 Pine Street")
    an_order(user=alice, number="KP-ALICE")
    an_order(number="KP-OTHER")

    shown = staff.get(page(alice)).content.decode()

    assert "12 Pine Street" in shown and "KP-ALICE" in shown and "$23.99" in shown
    assert "KP-OTHER" not in shown


def test_address_is_held_to_the_shops_rule(staff: Client) -> None:
    address = AddressFactory(country="US", region="OR")

    bad = {"addresses-0-region": "", "addresses-0-country": "us"}
    answer = save(staff, page(address.user), **bad)
    assert errors(answer) == {"addresses-0-region": ["Enter the state or province."]}

    save(staff, page(address.user), **{"addresses-0-city": " Salem  ", "addresses-0-country": "us"})
    kept = Address.objects.get()
    assert (kept.city, kept.country) == ("Salem", "US")


def test_customer_with_orders_stays(staff: Client) -> None:
    alice = make_alice()
    an_order(user=alice)

    staff.post(page(alice, "delete"), {"post": "yes"})

    assert User.objects.filter(pk=alice.pk).exists()


def test_support_without_the_right_sees_no_orders(support: Client) -> None:
    alice = make_alice()
    an_order(user=alice, number="KP-ALICE")

    assert "KP-ALICE" not in support.get(page(alice)).content.decode()


def test_looker_changes_no_account(looker: Client) -> None:
    alice = make_alice()

    assert looker.get(page(alice)).status_code == 200
    assert looker.post(page(alice), {"name": "x"}).status_code == 403
    assert "argon2" not in looker.get(page(alice)).content.decode()


def test_list_costs_the_same_with_many_accounts(queries_of: Counting) -> None:
    make_alice()
    queries_of(LIST)
    few = queries_of(LIST)
    for _ in range(8):
        UserFactory()
    an_order(user=User.objects.get(email="alice@example.com"))

    assert queries_of(LIST) == few <= 10


def test_page_costs_the_same_with_many_orders(queries_of: Counting) -> None:
    alice = make_alice()
    AddressFactory(user=alice)
    an_order(user=alice)
    queries_of(page(alice))
    few = queries_of(page(alice))
    for _ in range(6):
        AddressFactory(user=alice)
        an_order(user=alice)

    assert queries_of(page(alice)) <= few <= 24


def test_untouched_form_changes_nothing(staff: Client) -> None:
    alice = make_alice()
    AddressFactory(user=alice)
    before = list(Address.objects.values())

    answer = staff.post(page(alice), form_of(staff, page(alice)))

    assert answer.status_code == 302, errors(answer)
    assert list(Address.objects.values()) == before
