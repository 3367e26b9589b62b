"""How often one address, account or cart may do something.

    rate_limits.count(rate_limits.LOGINS_OF_ACCOUNT, account)      raises LimitReached
    @limited(*WRITES, answer=too_many)                             for the view of a page

Counted in Redis by the `limits` library (a sliding window, one atomic script per count), so that
every web process sees the same number. A shopper never reaches a limit, a script does.

    table.py       the limits
    counting.py    counts in Redis, or in the process while Redis cannot
    subjects.py    whom a limit counts
    pages.py       the decorator for Django's pages; the API counts in apps/api/endpoint.py
"""

from apps.core.rate_limits.counting import (
    Count,
    LimitReached,
    begin_anew,
    count,
    count_all,
    forget,
    refuse_if_reached,
)
from apps.core.rate_limits.pages import WRITES, Rule, limited
from apps.core.rate_limits.subjects import account_digest, by_address, by_user
from apps.core.rate_limits.table import (
    CART_WRITES_OF_ADDRESS_A_DAY,
    CHECKOUTS_OF_ADDRESS,
    CHECKOUTS_OF_CART,
    CHECKOUTS_OF_USER,
    CODES_OF_ACCOUNT,
    LOGINS_OF_ACCOUNT,
    LOGINS_OF_ADDRESS,
    NEW_CARTS_OF_ADDRESS,
    NEW_CARTS_OF_ADDRESS_A_DAY,
    NOTICES_OF_MAILBOX,
    PROMO_TRIES_OF_ADDRESS,
    REGISTRATIONS_OF_ADDRESS,
    RESETS_OF_ACCOUNT,
    RESETS_OF_ADDRESS,
    TICKETS_OF_ADDRESS,
    WRITES_OF_ADDRESS,
    WRITES_OF_CART,
    WRITES_OF_USER,
    WRONG_TOKENS,
    Limit,
)

__all__ = [
    "CART_WRITES_OF_ADDRESS_A_DAY",
    "CHECKOUTS_OF_ADDRESS",
    "CHECKOUTS_OF_CART",
    "CHECKOUTS_OF_USER",
    "CODES_OF_ACCOUNT",
    "LOGINS_OF_ACCOUNT",
    "LOGINS_OF_ADDRESS",
    "NEW_CARTS_OF_ADDRESS",
    "NEW_CARTS_OF_ADDRESS_A_DAY",
    "NOTICES_OF_MAILBOX",
    "PROMO_TRIES_OF_ADDRESS",
    "REGISTRATIONS_OF_ADDRESS",
    "RESETS_OF_ACCOUNT",
    "RESETS_OF_ADDRESS",
    "TICKETS_OF_ADDRESS",
    "WRITES",
    "WRITES_OF_ADDRESS",
    "WRITES_OF_CART",
    "WRITES_OF_USER",
    "WRONG_TOKENS",
    "Count",
    "Limit",
    "LimitReached",
    "Rule",
    "account_digest",
    "begin_anew",
    "by_address",
    "by_user",
    "count",
    "count_all",
    "forget",
    "limited",
    "refuse_if_reached",
]
