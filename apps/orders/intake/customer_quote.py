"""The quote for a certain customer: one call for the page, the API and the intake.

A code that this customer has used gives no discount. A face that names the customer and an intake
that does not, or the other way round, would see two totals for ever ("The total is now …").
"""

from collections.abc import Iterable, Sequence
from typing import Any

from apps.customers.mailbox import mailbox_of
from apps.orders.intake.quote import Quote, quote_lines


def quote_for(
    lines: Iterable[tuple[str, int]],
    *,
    email: str,
    user_id: int | None,
    promo_codes: Sequence[str] = (),
    **given: Any,
) -> Quote:
    """`quote_lines` for who orders under `email`, signed in as `user_id`.

    `email` is the one typed for the order, else the account's; empty while none is known. `given`
    are the other arguments of `quote_lines`.
    """
    # Only codes are limited by customer here. A page shows what was typed before it is checked, and
    # no query takes a NUL.
    mailbox = mailbox_of(email.replace("\0", "")) if promo_codes else ""
    return quote_lines(
        lines, promo_codes=promo_codes, customer_key=mailbox or None, user_id=user_id, **given
    )


def account_email(user: Any) -> str:
    """The e-mail of a signed-in account, empty for a guest: of carts, where none is typed."""
    return str(user.email) if user.is_authenticated else ""
