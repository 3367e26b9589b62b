"""Which uses of a promo count against one customer's limit.

A paid use counts for the mailbox of its order. A live use, paid or not, counts for the account of
its order. A guest's unpaid order does not count: a guest can enter any e-mail (ADR 34).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from apps.core import sql
from apps.promos.models import Promo

USES = """
    SELECT promo_id, customer_key, user_id, use_number IS NOT NULL FROM promos_redemption
    WHERE live AND promo_id = ANY(%(promos)s::bigint[])
      AND (customer_key = ANY(%(customers)s::text[]) OR user_id = ANY(%(users)s::bigint[]))
"""

LiveUses = Mapping[int, Sequence["Use"]]  # by promo
Customer = tuple[str, int | None]  # mailbox of the e-mail, account id when signed in


@dataclass(frozen=True, slots=True)
class Use:
    """A live redemption: its customer, and whether its order is paid."""

    customer_key: str
    user_id: int | None
    paid: bool

    def counts_for(self, customer_key: str, user_id: int | None) -> bool:
        """Whether it counts against the `customer_limit` of this customer."""
        if user_id is not None and self.user_id == user_id:
            return True
        return self.paid and self.customer_key == customer_key


def live(promo_ids: Collection[int], customers: Collection[Customer]) -> dict[int, list[Use]]:
    """The live uses that may count for one of `customers`, by promo."""
    found: dict[int, list[Use]] = {}
    rows = sql.fetch(
        USES,
        {
            "promos": list(promo_ids),
            "customers": list({mailbox for mailbox, _ in customers}),
            "users": list({user_id for _, user_id in customers if user_id is not None}),
        },
    )
    for promo_id, *use in rows:
        found.setdefault(promo_id, []).append(Use(*use))
    return found


def live_of_limited(promos: Iterable[Promo], customers: Collection[Customer]) -> LiveUses:
    """As `live`, of those promos that have a limit per customer; no query where none has."""
    limited = [promo.pk for promo in promos if promo.customer_limit is not None]
    return live(limited, customers) if limited and customers else {}


def of_customer(
    promo_id: int,
    *,
    customer_key: str | None,
    user_id: int | None,
    known: LiveUses | None = None,
) -> int:
    """How many uses of a promo count against this customer's limit.

    `known` are the live uses, where they were read for many customers at once.
    """
    customer = (customer_key or "", user_id)
    if known is None:
        known = live([promo_id], [customer])
    return sum(use.counts_for(*customer) for use in known.get(promo_id, ()))
