"""Unknown query parameters are refused, and a missing last slash costs no body."""

import json
import re

import pytest

from apps.api.urls import v1
from apps.customers.models import Address
from tests.api.conftest import V1, Api, problem
from tests.factories import ADDRESS, OrderEventFactory, OrderFactory

ID = "0198b2c4-1234-7123-8123-1234567890ab"
FILLED = {"uuid:": ID, "str:slug": "mug", "slug:slug": "sale", "path:sku": "a/b", "int:": "1"}
PATHS = [str(pattern.pattern) for pattern in v1 if not str(pattern.pattern).startswith("^")]


def filled(path: str) -> str:
    def value(found: re.Match[str]) -> str:
        return next(text for kind, text in FILLED.items() if found[1].startswith(kind))

    return re.sub(r"<([^>]+)>", value, path)


def methods(path: str) -> list[str]:
    view = next(pattern.callback.cls for pattern in v1 if str(pattern.pattern) == path)
    return [name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)]


CALLS = [(method, path) for path in PATHS for method in methods(path)]


def ask(client: Api, method: str, path: str):
    body = {} if method in ("get", "delete") else {"body": {}}
    return getattr(client, method)(path, **body)


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_unknown_parameter_is_refused_by_every_call(alice, method, path):
    client = Api().as_user(alice)

    document = problem(ask(client, method, f"/{filled(path)}?catgory=x"), 400, "invalid")

    assert [(e["field"], e["code"]) for e in document["errors"]] == [("catgory", "unknown")]


def test_what_is_known_is_named(db):
    refused = problem(Api().get("/products/?catgory=x&search=mug"), 400, "invalid")

    assert [error["field"] for error in refused["errors"]] == ["catgory"]
    assert "category" in refused["errors"][0]["message"]


def test_parameter_that_comes_twice_is_refused(db):
    refused = problem(Api().get("/products/?page_size=1&page_size=2"), 400, "invalid")

    assert [(e["field"], e["code"]) for e in refused["errors"]] == [("page_size", "repeated")]


def test_names_from_outside_stay_short(db):
    query = "&".join(f"{'x' * 500}{n}=1" for n in range(90))

    refused = problem(Api().get(f"/products/?{query}"), 400, "invalid")

    assert len(refused["errors"]) == 50
    assert max(len(error["field"]) for error in refused["errors"]) == 100


def test_head_is_as_strict_as_get(client, db):
    assert client.head(f"{V1}/products/?search=mug").status_code == 200
    assert client.head(f"{V1}/products/?serach=mug").status_code == 400


def test_parameters_of_a_checkout_are_refused_before_it_is_an_order(api, buy):
    problem(api.post("/checkouts/?dry_run=1", buy(), Idempotency_Key="k"), 400, "invalid")


# --- The last slash -------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_call_without_its_slash_is_sent_on(db, method, path):
    without = f"/{filled(path).removesuffix('/')}"

    answer = ask(Api(), method, f"{without}?after_seq=1")

    assert answer.status_code == (301 if method == "get" else 308), answer.content
    assert answer["Location"] == f"{V1}{without}/?after_seq=1"


def test_followed_redirect_keeps_method_and_body(client, alice):
    headers = Api().as_user(alice).headers

    made = client.post(
        f"{V1}/me/addresses",
        json.dumps(ADDRESS),
        content_type="application/json",
        headers=headers,
        follow=True,
    )

    assert made.status_code == 201, made.content
    assert Address.objects.count() == 1


def test_address_that_does_not_exist_is_not_found_at_once(db):
    for path in ("/nothing", "/orders/1/pay", "/carts/x"):
        problem(Api().post(path, {}), 404, "not_found")
        problem(Api().get(path), 404, "not_found")


@pytest.mark.parametrize("strange", ["%0A", "a%0Ab", "%0D", "%E2%80%A8", "%3F", "%23", "%2F%0A"])
def test_strange_address_is_not_redirected_to_itself(db, strange):
    for path in (f"/orders/{strange}/cancel/", f"/{strange}/", f"/{strange}", f"/orders/{strange}"):
        problem(Api().post(path, {}), 404, "not_found")


def test_redirect_leads_nowhere_else(db):
    answer = Api().post(f"/orders/{ID}/cancel?next=//evil.example/%0d%0aX: y", {})

    assert answer.status_code == 308
    assert answer["Location"].startswith(f"{V1}/orders/{ID}/cancel/?next=")
    assert "\n" not in answer["Location"]


def test_body_of_another_kind_is_not_sent_on(db):
    answer = Api().raw("/checkouts", b"a=b", kind="application/x-www-form-urlencoded")

    assert answer.status_code == 415


def test_pages_without_their_slash_are_redirected_as_before(client, db):
    assert client.get("/cart").status_code == 301


def test_refused_parameter_tells_nothing_of_an_order(db):
    """Neither answer tells whether there is such an order."""
    OrderEventFactory(order=OrderFactory(pk=ID))

    codes = {Api().get(f"/orders/{pk}/?x=1").status_code for pk in (ID, ID.replace("0198", "0199"))}

    assert codes == {400}
