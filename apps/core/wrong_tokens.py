"""Wrong tokens for one order or cart: so many a minute are "not found", then they are "too many".

Called after a look-up that failed, so a token that is right always opens what it belongs to,
however many wrong ones were sent before it, from wherever. A request without a token is no guess.

Counted by what the token was to open and not by the network address: one address may be a
household or a whole mobile network. An id that does not exist is counted as one that does, or the
429 would tell which ids exist.
"""

from uuid import UUID

from apps.core import rate_limits

# Invented ids must not fill the memory of the rate limits, so ids share 65,536 counters by their
# last 16 bits, which are random. All that a shared counter can do is to answer a stranger's wrong
# token with 429 in place of 404.
SHARED_BY = 4  # hex digits


def count(kind: str, resource_id: UUID, token: str | None) -> None:
    """Count `token`, which does not open `resource_id`; raises LimitReached after too many.

    `kind` says what the id is of: "order", "cart".
    """
    if token:
        rate_limits.count(rate_limits.WRONG_TOKENS, f"{kind}:{resource_id.hex[-SHARED_BY:]}")
