"""The least that an order may cost: what the gateway takes, or nothing at all.

An order below it would be accepted, refused by the gateway and cancelled, so it is told before.
"""

from django.conf import settings

from apps.core import money
from apps.orders.intake.quote_types import QuoteProblem
from apps.payments.gateway_amounts import smallest_charge

BELOW_MINIMUM = "below_minimum"


def below_minimum(total_amount: int) -> list[QuoteProblem]:
    """The problem of a total (minor units) that cannot be charged; empty where there is none."""
    currency = settings.SHOP_CURRENCY
    least = smallest_charge(currency)
    if total_amount <= 0 or total_amount >= least:
        return []
    message = (
        f"The smallest amount we can charge is {money.for_people(least, currency)},"
        f" and this comes to {money.for_people(total_amount, currency)}."
    )
    return [QuoteProblem(BELOW_MINIMUM, message, minimum=(least, currency))]
