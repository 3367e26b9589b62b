"""How many units one order may have: of a SKU, of a product, and altogether."""

from collections.abc import Sequence

from django.conf import settings

from apps.orders.intake.quote_types import QuoteLine, QuoteProblem

LIMITED = "quantity_limit"  # the code of a problem


def above_limits(lines: Sequence[QuoteLine]) -> list[QuoteProblem]:
    """One problem for each SKU above a limit, and one without a SKU for the order as a whole."""
    problems = [
        QuoteProblem(
            LIMITED,
            f"At most {line.limits.of_sku} of {line.name} in one order.",
            sku=line.sku,
            available=line.limits.of_sku,
        )
        for line in lines
        if line.quantity > line.limits.of_sku
    ]
    units: dict[int, int] = {}
    for line in lines:
        units[line.product_id] = units.get(line.product_id, 0) + line.quantity
    named = {problem.sku for problem in problems}
    for line in lines:
        most = line.limits.together
        if most is not None and units[line.product_id] > most and line.sku not in named:
            problems.append(
                QuoteProblem(
                    LIMITED,
                    f"At most {most} of {line.name} in one order, all its kinds together.",
                    sku=line.sku,
                    available=most,
                )
            )
    # A product with a limit of its own does not count towards the general one.
    whole = sum(line.quantity for line in lines if line.limits.order is None)
    if whole > settings.UNITS_PER_ORDER:
        most = settings.UNITS_PER_ORDER
        problems.append(
            QuoteProblem(LIMITED, f"At most {most} pieces in one order.", available=most)
        )
    return problems
