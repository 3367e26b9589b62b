"""Orders of the measured shop: placed one by one, and audited."""

from typing import Any
from uuid import uuid4

import requests

from apps.orders import audit
from apps.payments.gateway import get_gateway
from tools.bench.goods import HOT


def place_order(url: str) -> dict[str, Any]:
    """Order one unit of the hot SKU as a guest; the body of the 202. Raises AssertionError."""
    key = uuid4()
    answer = requests.post(
        f"{url}/api/v1/checkouts/",
        json={
            "lines": [{"sku": HOT, "quantity": 1}],
            "email": f"page-{key.hex}@example.com",  # each another customer
            "shipping_address": {
                "name": "Alice Archer",
                "line1": "12 Pine Street",
                "city": "Portland",
                "region": "OR",
                "postal_code": "97201",
                "country": "US",
            },
            "shipping_method": "standard",
            "payment_method": "pm_card_visa",
        },
        headers={
            "Idempotency-Key": key.hex,
            "X-Forwarded-For": f"10.1.{key.bytes[0]}.{key.bytes[1]}",
        },
        timeout=30,
    )
    if answer.status_code != 202:
        raise AssertionError(f"not accepted: {answer.status_code} {answer.text[:200]}")
    accepted: dict[str, Any] = answer.json()
    return accepted


def audit_invariants(*, at_rest: bool) -> None:
    """Check every invariant of `manage.py audit`. Raises AssertionError with the violations.

    At rest nothing is under way: then the gateway's records must agree as well, and nothing may be
    overdue. Safety must hold at any instant.
    """
    found = list(audit.check(liveness=at_rest))
    if at_rest:
        found.append(audit.check_gateway(get_gateway()))
    if wrong := [one for one in found if not one.holds]:
        raise AssertionError(
            "; ".join(
                f"invariant {one.number}, {one.name}: {one.violations} violations,"
                f" {', '.join(one.examples[:3])}"
                for one in wrong
            )
        )
