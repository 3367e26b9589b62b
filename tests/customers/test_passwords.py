"""The password rules, wherever a password is set."""

import time

import pytest
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils.http import urlsafe_base64_encode

from apps.customers import passwords
from apps.customers.models import User
from apps.demo.seeding import LOGINS
from tests.api.conftest import Api, problem
from tests.factories import PASSWORD, make_alice, make_clerk

EMAIL = "carol.carter@example.com"
TEN_SPACES = " " * 10


def codes(password, user=None):
    """The codes of the rules that refuse it."""
    try:
        validate_password(password, user or User(email=EMAIL, name="Carol Carter"))
    except ValidationError as refused:
        return [error.code for error in refused.error_list]
    return []


@pytest.mark.parametrize(
    ("password", "code"),
    [
        (TEN_SPACES, "password_too_short"),
        ("\u200b" * 10, "password_too_short"),
        ("\u3000" * 10, "password_too_short"),
        ("\t\n\r \u00a0\u2003 \u2060\ufeff", "password_too_short"),
        ("  tiny  !  ", "password_too_short"),
        ("kettle!", "password_too_short"),
        ("aaaaaaaa", "password_too_uniform"),
        ("abababab", "password_too_uniform"),
        ("AaAaBbBb", "password_too_uniform"),
        ("a  b  a  b  a", "password_too_uniform"),
        ("x" * 1001, "password_too_long"),
        ("half a character \ud800", "invalid"),
        ("password", "password_too_common"),
        ("PassWord", "password_too_common"),
        (" password ", "password_too_common"),
        ("password1", "password_too_common"),
        ("Password2026", "password_too_common"),
        ("password!!", "password_too_common"),
        ("P@ssw0rd!", "password_too_common"),
        ("p4$5w0rd", "password_too_common"),
        ("2026password", "password_too_common"),
        ("!password99", "password_too_common"),
        ("password12345678", "password_too_common"),
        ("ｐａｓｓｗｏｒｄ", "password_too_common"),
        ("p a s s w o r d", "password_too_common"),
        ("passwordpassword", "password_too_common"),
        ("$unshine1", "password_too_common"),
        ("Trustno1", "password_too_common"),
        ("1234567890", "password_too_common"),
        ("Qwertyuiop", "password_too_common"),
        (EMAIL, "password_too_similar"),
        (EMAIL.upper(), "password_too_similar"),
        ("carol.carter1", "password_too_similar"),
        ("Carol Carter", "password_too_similar"),
    ],
)
def test_weak_password_is_refused(password, code):
    assert code in codes(password)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD, "slow-morning-9", "three-slow-kettles", "correct horse battery staple",
        "kRk9!vm2-xT", "dragon-and-83749201", " spaces belong to it ", "Grüße aus Köln",
        "茶と朝ごはんと湯気", "dragonfly8374921",
        *(login.password for login in LOGINS),
    ],
)  # fmt: skip
def test_good_password_is_accepted(password):
    assert codes(password) == []


def test_password_is_kept_as_typed(db):
    typed = "  Ｓlow mornings, 9  "
    user = User.objects.create_user(EMAIL, typed)

    assert user.check_password(typed)
    assert not user.check_password(typed.strip())
    assert not user.check_password("  Slow mornings, 9  ")


def test_judging_the_longest_password_takes_no_time():
    """A client may send many; each must be done with long before its hash would be."""
    before = time.thread_time()
    codes("ab1!" * (passwords.LENGTH_MAX // 4))
    assert time.thread_time() - before < 0.5


# --- Every way to set a password ------------------------------------------------------------------


def by_page(password):
    form = {"email": EMAIL, "password": password}
    answer = Client().post("/account/register/", form)
    assert answer.status_code == 400


def by_api(password):
    document = Api().post("/auth/register/", {"email": EMAIL, "password": password})
    assert problem(document, 400, "invalid")["errors"][0]["field"] == "password"


def by_change(password):
    browser = Client()
    browser.force_login(User.objects.create_user(EMAIL, PASSWORD))
    form = {"which": "password", "old_password": PASSWORD}
    form |= {"new_password1": password, "new_password2": password}
    assert browser.post("/account/profile/", form).status_code == 400


def by_reset(password):
    user = User.objects.create_user(EMAIL, PASSWORD)
    uid = urlsafe_base64_encode(str(user.pk).encode())
    link = f"/account/password/new/{uid}/{default_token_generator.make_token(user)}/"
    form = {"new_password1": password, "new_password2": password}
    assert Client().post(link, form).status_code == 400


def by_office_for_another(password):
    user = User.objects.create_user(EMAIL, PASSWORD)
    office = Client()
    office.force_login(make_clerk())
    form = {"password1": password, "password2": password, "usable_password": "true"}
    assert office.post(f"/admin/customers/user/{user.pk}/password/", form).status_code == 200


def by_office_for_a_new_account(password):
    office = Client()
    office.force_login(make_clerk())
    form = {"email": EMAIL, "name": "Carol", "password1": password, "password2": password}
    form |= {"usable_password": "true"}
    assert office.post("/admin/customers/user/add/", form).status_code == 200


def by_office_for_oneself(password):
    clerk = User.objects.create_superuser(EMAIL, PASSWORD)
    office = Client()
    office.force_login(clerk)
    form = {"old_password": PASSWORD, "new_password1": password, "new_password2": password}
    assert office.post("/admin/password_change/", form).status_code == 200


def by_createsuperuser(password):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(CommandError):
        patch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
        call_command("createsuperuser", "--noinput", email=EMAIL, verbosity=0)


def by_createsuperuser_with_bypass(password):
    """Django offers to bypass password validation; `create_superuser` refuses all the same."""
    with pytest.MonkeyPatch.context() as patch, pytest.raises(CommandError):
        patch.setattr("getpass.getpass", lambda *_, **__: password)
        patch.setattr("builtins.input", lambda *_: "y")
        patch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        call_command("createsuperuser", email=EMAIL, verbosity=0)


def by_changepassword(password):
    User.objects.create_user(EMAIL, PASSWORD)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(CommandError):
        patch.setattr("getpass.getpass", lambda *_, **__: password)
        call_command("changepassword", EMAIL, verbosity=0)


WAYS = [
    by_page, by_api, by_change, by_reset, by_office_for_another, by_office_for_a_new_account,
    by_office_for_oneself, by_createsuperuser, by_changepassword,
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("password", [TEN_SPACES, "Password2026!", "aaaaaaaaaa", EMAIL])
def test_weak_password_is_refused_by_every_way(way, password):
    way(password)

    user = User.objects.filter(email=EMAIL).first()
    assert user is None or user.check_password(PASSWORD)


@pytest.mark.django_db
def test_createsuperuser_cannot_bypass_the_rules():
    by_createsuperuser_with_bypass("Password2026!")

    assert not User.objects.exists()


@pytest.mark.django_db
def test_good_password_is_accepted_by_command_and_page(client):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
        call_command("createsuperuser", "--noinput", email="root@example.com", verbosity=0)

    assert User.objects.get().check_password(PASSWORD)
    assert client.post(
        "/account/register/", {"email": EMAIL, "password": PASSWORD}
    ).status_code == 302  # fmt: skip


@pytest.mark.django_db
def test_long_password_set_on_a_page_signs_in_by_api():
    """The page accepts a thousand characters; so must the API."""
    long = "a quiet morning, and another. " * 20
    User.objects.create_user(EMAIL, long)

    answer = Api().post("/auth/token/", {"email": EMAIL, "password": long})

    assert answer.status_code == 200


@pytest.mark.django_db
def test_weak_password_from_before_the_rules_still_signs_in(client):
    alice = make_alice()
    alice.set_password("password")
    alice.save()

    form = {"email": alice.email, "password": "password"}
    assert client.post("/account/login/", form).status_code == 302
