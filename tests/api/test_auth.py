"""Accounts for apps: register, sign in, refresh; the profile and the address book."""

import pytest
from django.test import Client

from apps.customers.models import Address, User
from tests.api.conftest import Api, problem
from tests.factories import ADDRESS, PASSWORD, AddressFactory, make_bob

pytestmark = pytest.mark.django_db


def register(api, **changes):
    return api.post(
        "/auth/register/", {"email": "carol@example.com", "password": "slow-morning-9"} | changes
    )


def test_registered_customer_is_signed_in(api):
    answer = register(api, name="Carol")

    assert answer.status_code == 201, answer.content
    api.headers["Authorization"] = f"Bearer {answer.json()['access']}"
    me = api.get("/me/").json()
    assert me["email"] == "carol@example.com"
    assert me["name"] == "Carol"
    assert set(me) == {"id", "email", "name", "joined_at"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"email": "carol"}, "email"),
        ({"email": ""}, "email"),
        ({"email": None}, "email"),
        ({"email": ["carol@example.com"]}, "email"),
        ({"password": "short"}, "password"),
        ({"password": "password1"}, "password"),
        ({"password": ""}, "password"),
        ({"password": 12345678}, "password"),
        ({"password": "x" * 257}, "password"),
        ({"name": "x" * 121}, "name"),
    ],
)
def test_registration_names_the_wrong_field(api, changes, field):
    assert problem(register(api, **changes), 400, "invalid")["errors"][0]["field"] == field
    assert not User.objects.exists()


def test_email_is_one_account_whatever_its_capitals(api):
    register(api)

    errors = problem(register(api, email="CAROL@example.com"), 400, "invalid")["errors"]

    assert [(error["field"], error["code"]) for error in errors] == [("email", "email_taken")]


def test_registering_makes_no_staff(api):
    register(api, is_staff=True, is_superuser=True, id=1)

    assert not User.objects.get().is_staff


def sign_in(api, email="alice@example.com", password=PASSWORD):
    return api.post("/auth/token/", {"email": email, "password": password})


def test_customer_signs_in(api, alice):
    answer = sign_in(api, "Alice@Example.com")

    assert set(answer.json()) == {"access", "refresh"}
    api.headers["Authorization"] = f"Bearer {answer.json()['access']}"
    assert api.get("/me/").json()["email"] == alice.email


@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_wrong_password_and_unknown_account_sound_alike(api, alice, email):
    document = problem(sign_in(api, email, "wrong"), 401, "authentication_failed")

    assert "account matches" in document["detail"]


def test_closed_account_cannot_sign_in_nor_refresh(api, alice):
    refresh = sign_in(api).json()["refresh"]
    alice.is_active = False
    alice.save()

    problem(sign_in(api), 401, "authentication_failed")
    problem(api.post("/auth/token/refresh/", {"refresh": refresh}), 401, "authentication_failed")


def test_deleted_account_cannot_refresh(api, alice):
    refresh = sign_in(api).json()["refresh"]
    alice.delete()

    problem(api.post("/auth/token/refresh/", {"refresh": refresh}), 401, "authentication_failed")


def test_refresh_gives_a_new_access_token(api, alice):
    tokens = sign_in(api).json()

    answer = api.post("/auth/token/refresh/", {"refresh": tokens["refresh"]})

    assert answer.status_code == 200
    api.headers["Authorization"] = f"Bearer {answer.json()['access']}"
    assert api.get("/me/").status_code == 200


def test_access_token_is_no_refresh_token(api, alice):
    access = sign_in(api).json()["access"]

    problem(api.post("/auth/token/refresh/", {"refresh": access}), 401, "authentication_failed")


@pytest.mark.parametrize("refresh", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
def test_garbage_is_no_refresh_token(api, refresh):
    problem(api.post("/auth/token/refresh/", {"refresh": refresh}), 401, "authentication_failed")


@pytest.mark.parametrize(
    "header",
    ["Bearer x", "Bearer a.b.c", "Bearer", "Bearer a b", "Bearer eyJhbGciOiJub25lIn0.e30."],
)
def test_bad_bearer_is_a_401(api, header):
    answer = api.get("/me/", Authorization=header)

    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"].startswith("Bearer")


# --- Sessions -----------------------------------------------------------------------------------


def test_session_needs_the_csrf_token_to_write(alice):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(alice)
    body = {"name": "Mallory"}

    refused = browser.patch("/api/v1/me/", body, content_type="application/json")
    assert refused.status_code == 403
    assert refused.json()["code"] == "permission_denied"

    browser.cookies["csrftoken"] = "a" * 32
    allowed = browser.patch(
        "/api/v1/me/", body, content_type="application/json", headers={"X-CSRFToken": "a" * 32}
    )
    assert allowed.status_code == 200


def test_session_with_a_huge_form_is_no_500(alice, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    browser = Client(enforce_csrf_checks=True, raise_request_exception=False)
    browser.force_login(alice)

    answer = browser.post("/api/v1/carts/", {"a": "x" * 5000})

    assert answer.status_code in (403, 413)


# --- Me -----------------------------------------------------------------------------------------


@pytest.fixture
def mine(alice):
    return Api().as_user(alice)


def test_profile_needs_a_customer(api):
    problem(api.get("/me/"), 401, "not_authenticated")
    problem(api.get("/me/addresses/"), 401, "not_authenticated")


def test_name_is_changed_and_nothing_else(mine, alice):
    answer = mine.patch("/me/", {"name": "Alice A.", "email": "x@example.com", "is_staff": True})

    assert answer.json()["name"] == "Alice A."
    alice.refresh_from_db()
    assert (alice.email, alice.is_staff) == ("alice@example.com", False)


def test_address_book(mine):
    made = mine.post("/me/addresses/", ADDRESS)
    assert made.status_code == 201, made.content
    path = f"/me/addresses/{made.json()['id']}/"
    assert made.json() == {"id": made.json()["id"], **ADDRESS, "is_default": True}
    assert mine.get(path).json() == made.json()

    second = mine.post("/me/addresses/", ADDRESS | {"city": "Salem", "is_default": True}).json()
    assert [entry["city"] for entry in mine.get("/me/addresses/").json()["results"]] == [
        "Portland",
        "Salem",
    ]
    assert mine.get(path).json()["is_default"] is False

    changed = mine.patch(path, {"line2": "Flat 3", "is_default": True}).json()
    assert (changed["line2"], changed["city"], changed["is_default"]) == (
        "Flat 3",
        "Portland",
        True,
    )
    replaced = mine.put(path, {**ADDRESS, "line2": None}).json()
    assert replaced["line2"] == ""

    assert mine.delete(path).status_code == 204
    problem(mine.get(path), 404, "not_found")
    assert mine.get(f"/me/addresses/{second['id']}/").json()["is_default"] is True


def test_address_errors_name_their_fields(mine):
    answer = mine.post("/me/addresses/", {"name": "x" * 121, "country": "XX", "line1": 5})

    fields = {error["field"] for error in problem(answer, 400, "invalid")["errors"]}
    assert fields == {"name", "line1", "city", "country"}
    assert not Address.objects.exists()


def test_put_needs_the_whole_address(mine, alice):
    entry = AddressFactory(user=alice)

    problem(mine.put(f"/me/addresses/{entry.pk}/", {"city": "Salem"}), 400, "invalid")


def test_anothers_address_is_not_found(mine):
    of_bob = AddressFactory(user=make_bob())
    path = f"/me/addresses/{of_bob.pk}/"

    for answer in (
        mine.get(path),
        mine.patch(path, {"city": "X"}),
        mine.put(path, ADDRESS),
        mine.delete(path),
    ):
        problem(answer, 404, "not_found")
    assert Address.objects.get(pk=of_bob.pk).city == "Portland"


@pytest.mark.parametrize("address_id", ["0", "x", "-1", "9" * 30, "1.5"])
def test_strange_address_id_is_not_found(mine, address_id):
    problem(mine.get(f"/me/addresses/{address_id}/"), 404, "not_found")


def test_address_of_the_wrong_user_in_the_body_is_ignored(mine, alice):
    bob = make_bob()

    made = mine.post("/me/addresses/", ADDRESS | {"user": bob.pk, "user_id": bob.pk}).json()

    assert Address.objects.get(pk=made["id"]).user_id == alice.pk
