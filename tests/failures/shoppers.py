"""The shoppers of these tests, and how a guard is removed to see what it prevents.

alice, bob = Shopper(shop, "alice"), Shopper(shop, "bob")
order_id = alice.buys(shop.mug)                     over the API, from an address of their own
meet(patch, redeem, "decide")                       the first two calls go on together
with without("one_live_order_per_cart"): …          the database no longer keeps this promise
"""

import itertools
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpResponse

from apps.catalog.models import Variant
from tests.api.conftest import Api, problem
from tests.emptying import empty_tables
from tests.factories import ADDRESS
from tests.orders.purchases import Shop

CHALLENGE = "pm_card_threeDSecure2Required"
DECLINED = "pm_card_visa_chargeDeclined"
_addresses = itertools.count(1)


class Shopper(Api):
    """A guest with an app that keeps the tokens of their orders."""

    def __init__(self, shop: Shop, name: str = "alice") -> None:
        number = next(_addresses)
        super().__init__(f"198.51.{100 + number // 250 % 100}.{1 + number % 250}")
        self.shop, self.email = shop, f"{name}@example.com"
        self.tokens: dict[UUID, str] = {}

    def body(self, *lines: tuple[Variant, int], **given: Any) -> dict[str, Any]:
        """The body of a checkout: one mug, unless `lines` or a `cart` are given."""
        lines = lines or ((self.shop.mug, 1),)
        wanted = [{"sku": variant.sku, "quantity": quantity} for variant, quantity in lines]
        return {
            **({} if "cart" in given else {"lines": wanted}),
            "email": self.email,
            "shipping_address": dict(ADDRESS),
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        } | given

    def orders(self, body: dict[str, Any], *, key: str | None = None) -> HttpResponse:
        """Send a checkout; keep the order's token when it is accepted."""
        answer = self.checkout(body, key=key)
        if answer.status_code == 202:
            order = answer.json()["order"]
            self.tokens[UUID(order["id"])] = order["token"]
        return answer

    def buys(self, *lines: tuple[Variant, int], key: str | None = None, **given: Any) -> UUID:
        """Order; it must be accepted."""
        answer = self.orders(self.body(*lines, **given), key=key)
        assert answer.status_code == 202, answer.content
        return UUID(answer.json()["order"]["id"])

    def cart_of(self, *lines: tuple[Variant, int]) -> str:
        """A new cart with `lines`; its id."""
        cart_id: str = self.new_cart()["id"]
        for variant, quantity in lines:
            self.puts(cart_id, variant, quantity)
        return cart_id

    def puts(self, cart_id: str, variant: Variant, quantity: int) -> None:
        answer = self.put(f"/carts/{cart_id}/lines/{variant.sku}/", {"quantity": quantity})
        assert answer.status_code == 200, answer.content

    def in_cart(self, cart_id: str) -> list[tuple[str, int]]:
        document = self.get(f"/carts/{cart_id}/").json()
        return [(line["sku"], line["quantity"]) for line in document["lines"]]

    def sees(self, order_id: UUID) -> str:
        """The order's status, as the app polls it."""
        answer = self.get(f"/orders/{order_id}/status/", X_Order_Token=self.tokens[order_id])
        assert answer.status_code == 200, answer.content
        status: str = answer.json()["status"]
        return status

    def cancels(self, order_id: UUID) -> HttpResponse:
        return self.post(f"/orders/{order_id}/cancel/", X_Order_Token=self.tokens[order_id])


def sold_out(answer: HttpResponse) -> dict[str, int]:
    """What is left by SKU, of a checkout that was refused for it."""
    document = problem(answer, 409, "out_of_stock")
    return {error["field"]: error["available"] for error in document["errors"]}


def accepted_first(answers: list[HttpResponse]) -> list[HttpResponse]:
    """Answers of a race: the accepted ones before the refused."""
    for answer in answers:
        assert isinstance(answer, HttpResponse), repr(answer)
    return sorted(answers, key=lambda answer: int(answer.status_code))


# --- Guards, and what happens without them --------------------------------------------------------


def meet(
    patch: pytest.MonkeyPatch,
    where: Any,
    name: str,
    *,
    after: bool = False,
    meanwhile: Callable[[], Any] | None = None,
) -> None:
    """The first two calls of `where.name` wait for each other before they begin.

    after: they wait when both have their results, before either goes on. `meanwhile` runs while
    both wait.
    """
    call, calls = getattr(where, name), itertools.count()
    both = threading.Barrier(2, action=meanwhile, timeout=60)

    def together(*given: Any, **named: Any) -> Any:
        mine = next(calls) < 2
        if mine and not after:
            both.wait()
        answer = call(*given, **named)
        if mine and after:
            both.wait()
        return answer

    patch.setattr(where, name, together)


def no_row_locks(patch: pytest.MonkeyPatch) -> None:
    """`SELECT … FOR UPDATE` of the models is a plain SELECT."""
    patch.setattr(QuerySet, "select_for_update", lambda self, **_: self)


@contextmanager
def without(name: str) -> Iterator[None]:
    """Without the constraint or index `name`. Afterwards it is back, and all rows are gone."""
    table, restore = _definition(name)
    kind, dropped = ("CONSTRAINT", f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"')
    if restore.startswith("CREATE"):
        kind, dropped = "INDEX", f'DROP INDEX "{name}"'
    _run(dropped)
    try:
        yield
    finally:
        empty_tables()
        _run(restore if kind == "INDEX" else f'ALTER TABLE "{table}" ADD {restore}')


def _definition(name: str) -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conname = %s",
            [name],
        )
        if found := cursor.fetchone():
            return found[0], f'CONSTRAINT "{name}" {found[1]}'
        cursor.execute("SELECT tablename, indexdef FROM pg_indexes WHERE indexname = %s", [name])
        table, definition = cursor.fetchone()
        return table, definition


def _run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def changed(text: str, *replacements: tuple[str, str]) -> str:
    """`text` with each of `replacements` made; one that finds nothing fails the test."""
    for old, new in replacements:
        assert re.search(re.escape(old), text), f"{old!r} is not in it any more"
        text = text.replace(old, new)
    return text
