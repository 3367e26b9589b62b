"""Reads the body of a checkout: its fields, and what they mean together."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from apps.api.contract.checkout import CheckoutBody, OrderedLine
from apps.api.contract.problem import FieldProblem
from apps.api.contract.reading import Errors, errors_of, invalid
from apps.cart.carts import QUANTITY_MAX


def read_checkout(data: dict[str, Any]) -> dict[str, Any]:
    """The fields of contract.checkout.CheckoutBody, with `lines` merged by SKU; raises Problem 400.

    `lines` are (SKU, quantity) pairs, empty for a cart; a field that is absent is None.
    """
    errors: Errors = []
    body: dict[str, Any] = {}
    try:
        # Its attributes as they are: pydantic's own dict(model) costs a quarter of the validation.
        body = vars(CheckoutBody.model_validate(data)).copy()
    except ValidationError as refused:
        errors += errors_of(refused)
    errors += _cart_or_lines(data)
    if not errors:
        body["lines"] = _merged(body["lines"] or [], errors)
    if errors:
        raise invalid(errors)
    return body


def _cart_or_lines(data: dict[str, Any]) -> Iterator[FieldProblem]:
    """What is wrong with the choice between a cart and lines; of the body as it was sent."""
    cart, lines, code = data.get("cart"), data.get("lines"), data.get("promo_code")
    if cart is None and lines is None:
        yield {"field": "cart", "code": "required", "message": "Send a cart, or lines to buy now."}
    elif cart is not None and lines is not None:
        yield {"field": "lines", "code": "invalid", "message": "Send a cart or lines, not both."}
    elif cart is not None and code is not None and not (isinstance(code, str) and not code.strip()):
        message = "Put the code into the cart first."
        yield {"field": "promo_code", "code": "invalid", "message": message}


def _merged(lines: list[OrderedLine], errors: Errors) -> tuple[tuple[str, int], ...]:
    # Two lines of one SKU checked separately would each fit a stock that both together do not.
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line["sku"]] = quantities.get(line["sku"], 0) + line["quantity"]
    for sku, quantity in quantities.items():
        if quantity > QUANTITY_MAX:
            message = f"At most {QUANTITY_MAX} of {sku}."
            errors.append({"field": "lines", "code": "max_value", "message": message})
    return tuple(quantities.items())
