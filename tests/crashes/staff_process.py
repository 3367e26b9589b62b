"""A process beside the shop that does what staff do in the back office, a line of JSON each.

    {"action": "refund", "order_id": "0192…", "amount": 100}  →  {"answer": null}

It calls what the admin calls, without its forms. A process of its own because the tests' Django
uses another database; it is kept because each start of Django takes seconds.
"""

import json
import sys
from typing import Any
from uuid import UUID

import django

django.setup()

from apps.orders.saga import review  # noqa: E402
from apps.payments import refunds  # noqa: E402
from apps.promos.models import Promo  # noqa: E402
from tests.factories import VariantFactory, ship_everywhere  # noqa: E402


def open_shop(*, goods: list[tuple[str, int]]) -> None:
    """Goods with stock that lasts; `goods` are (SKU, price in minor units)."""
    ship_everywhere(price=490)
    for sku, price in goods:
        VariantFactory(sku=sku, price_amount=price, stock=5000)


def make_codes(*, first: int, count: int) -> list[str]:
    """One-use codes, two dollars off."""
    made = [
        Promo(code=f"CRASH{n}", kind=Promo.Kind.FIXED, amount=200, total_limit=1)
        for n in range(first, first + count)
    ]
    for promo in made:
        promo.save()
    return [promo.code for promo in made]


def refund(*, order_id: str, amount: int) -> None:
    refunds.request_refund(
        UUID(order_id), amount=amount, purpose="admin:crash", reason="a dent", actor="clerk"
    )


def retry(*, order_id: str) -> None:
    review.retry(UUID(order_id), actor="clerk", reason="the cause was removed")


def main() -> None:
    actions = {action.__name__: action for action in (open_shop, make_codes, refund, retry)}
    for line in sys.stdin:
        wanted: dict[str, Any] = json.loads(line)
        answer = actions[wanted.pop("action")](**wanted)
        print(json.dumps({"answer": answer}), flush=True)


if __name__ == "__main__":
    main()
