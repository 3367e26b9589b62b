"""What the gateway is told of an order beside the sum: for its fraud checks, and in a dispute.

Written with the order and never changed (`Payment.details`): it is sent with the authorization, and
a request that is repeated under its key must say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDetails:
    """`shipping` is an address as customers/address_rules.py makes it; None: nothing is shipped."""

    number: str = ""
    email: str = ""
    billing_name: str = ""
    shipping: Mapping[str, str] | None = field(default=None)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "OrderDetails":
        """From `Payment.details`; empty for a payment of a release that kept none."""
        return cls(
            number=kept.get("number") or "",
            email=kept.get("email") or "",
            billing_name=kept.get("billing_name") or "",
            shipping=kept.get("shipping"),
        )


NO_DETAILS = OrderDetails()
