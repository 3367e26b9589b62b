"""Under which names an order counts towards the limits of a customer."""

from apps.orders.intake.pending import Pending


def name_of(pending: Pending) -> str:
    """Who the customer is: the account of a signed-in customer, the mailbox of a guest."""
    user_id = pending.request.user_id
    return f"mailbox:{pending.mailbox}" if user_id is None else f"account:{user_id}"


def names_of(pending: Pending) -> set[str]:
    """All names under which the order counts: a signed-in customer's mailbox counts as well."""
    return {name_of(pending), f"mailbox:{pending.mailbox}"}
