"""A checkout with a bearer token is answered without Django, and the answer is the same."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from rest_framework_simplejwt.tokens import AccessToken

from apps.api.auth import tokens_for
from apps.core import rate_limits
from apps.customers.models import User
from apps.customers.tokens import BearerAuthentication
from apps.fastpath.checkout import CheckoutShortcut
from apps.orders.models import Order
from storefront.wsgi import shop
from tests.fastpath.checkouts import answer, both, request, without
from tests.fastpath.wsgi_client import Behind

pytestmark = pytest.mark.usefixtures("open_shop")


def bearer_of(user: User) -> str:
    return f"Bearer {tokens_for(user)['access']}"


def test_signed_in_order_is_the_customers_and_the_answer_is_the_same(
    behind: Behind, body: dict[str, Any], alice: User
) -> None:
    token = bearer_of(alice)
    quick, slow = both(behind, lambda key: request(body, key=key, HTTP_AUTHORIZATION=token))

    assert quick[0] == slow[0] == "202 Accepted"
    of_this_order = {"Location", "Content-Length"}
    assert without(quick[1], of_this_order) == without(slow[1], of_this_order)
    assert [order.user for order in Order.objects.all()] == [alice, alice]


def test_key_of_a_customer_is_their_own(behind: Behind, body: dict[str, Any], alice: User) -> None:
    """Replayed with the shortcut and without; a guest's or Bob's order of this key is another."""
    first = answer(CheckoutShortcut(behind), request(body, HTTP_AUTHORIZATION=bearer_of(alice)))
    quick = answer(CheckoutShortcut(behind), request(body, HTTP_AUTHORIZATION=bearer_of(alice)))
    slow = answer(shop, request(body, HTTP_AUTHORIZATION=bearer_of(alice)))
    bob = User.objects.create_user("bob@example.com", "a long enough password")

    assert quick == slow
    assert quick[1]["Idempotent-Replayed"] == "true"
    assert quick[2] == first[2]
    for another in (request(body), request(body, HTTP_AUTHORIZATION=bearer_of(bob))):
        assert (
            answer(CheckoutShortcut(behind), another)[2]["order"]["id"] != first[2]["order"]["id"]
        )
    assert behind.times == 0
    assert set(Order.objects.values_list("user__email", flat=True)) == {
        "alice@example.com",
        "bob@example.com",
        None,
    }


def test_reached_rate_limit_of_an_account_is_the_same(
    behind: Behind,
    body: dict[str, Any],
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.RATE_LIMITS = True
    few = (rate_limits.Limit("few-checkouts-user", 1, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.user_limits", few)
    token = bearer_of(alice)
    elsewhere = {"HTTP_AUTHORIZATION": token, "REMOTE_ADDR": "192.0.2.7"}
    assert (
        answer(CheckoutShortcut(behind), request(body, key="1", **elsewhere))[0] == "202 Accepted"
    )

    quick, slow = both(behind, lambda key: request(body, key=key, HTTP_AUTHORIZATION=token))

    assert quick == slow
    assert quick[0] == "429 Too Many Requests"
    assert answer(CheckoutShortcut(behind), request(body, key="guest"))[0] == "202 Accepted"
    assert Order.objects.count() == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "Bearer",
        lambda _: "Bearer somebody",
        lambda _: "Bearer \xe9",
        lambda _: "Basic YTpi",
        lambda user: bearer_of(user) + "x",
        lambda user: bearer_of(user) + " x",
        lambda user: bearer_of(user).replace("Bearer", "bearer"),
        lambda user: f"Bearer {tokens_for(user)['refresh']}",
        lambda user: f"Bearer {_token(user, exp=1)}",
        lambda user: f"Bearer {_token(user, user_id=None)}",
        lambda user: f"Bearer {_token(user, user_id=0)}",
        lambda user: f"Bearer {_token(user, hash_password='')}",
    ],
)
def test_token_that_is_not_good_is_left_to_django(
    behind: Behind, body: dict[str, Any], alice: User, spoil: Callable[[User], str]
) -> None:
    environ = {"HTTP_AUTHORIZATION": spoil(alice)}
    through = answer(CheckoutShortcut(behind), request(body, **environ))

    assert behind.times == 1
    again = answer(shop, request(body, **environ))
    assert through[0] == again[0]
    assert through[0][0] == "2" or through == again
    assert through[0][0] in "24"
    assert set(Order.objects.values_list("user", flat=True)) <= {None}


@pytest.mark.parametrize("what", ["password", "closed", "deleted"])
def test_token_ends_with_the_account_and_the_password(
    behind: Behind, body: dict[str, Any], alice: User, what: str
) -> None:
    token = bearer_of(alice)
    assert (
        answer(CheckoutShortcut(behind), request(body, HTTP_AUTHORIZATION=token))[0]
        == "202 Accepted"
    )
    Order.objects.update(user=None)
    if what == "password":
        alice.set_password("another long password")
        alice.save()
    elif what == "closed":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    else:
        User.objects.filter(pk=alice.pk).delete()

    refused = answer(CheckoutShortcut(behind), request(body, key="again", HTTP_AUTHORIZATION=token))

    assert refused[0] == "401 Unauthorized"
    assert behind.times == 1
    assert Order.objects.count() == 1


def test_token_that_has_ended_does_not_use_up_the_account(
    behind: Behind,
    body: dict[str, Any],
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    """Otherwise a stolen token of before could keep the customer from buying."""
    settings.RATE_LIMITS = True
    two = (rate_limits.Limit("two-checkouts-user", 2, 3600),)
    monkeypatch.setattr("apps.api.checkouts.Checkouts.user_limits", two)
    stolen = bearer_of(alice)
    alice.set_password("another long password")
    alice.save()

    for number in range(5):
        environ = {"HTTP_AUTHORIZATION": stolen, "REMOTE_ADDR": "192.0.2.7"}
        refused = answer(CheckoutShortcut(behind), request(body, key=str(number), **environ))
        assert refused[0] == "401 Unauthorized"

    token = request(body, HTTP_AUTHORIZATION=bearer_of(alice))
    assert answer(CheckoutShortcut(behind), token)[0] == "202 Accepted"


def test_database_that_is_away_is_the_same_for_the_signed_in(
    behind: Behind, body: dict[str, Any], alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("apps.customers.accounts.sql.fetch", gone)
    monkeypatch.setattr(BearerAuthentication, "get_user", gone)
    token = bearer_of(alice)

    quick, slow = both(behind, lambda key: request(body, key=key, HTTP_AUTHORIZATION=token))

    assert quick == slow
    assert quick[0].startswith("503")


def _token(user: User, **claims: Any) -> AccessToken:
    token = AccessToken.for_user(user)
    for claim, value in claims.items():
        if value is None:
            del token[claim]
        else:
            token[claim] = value
    return token
