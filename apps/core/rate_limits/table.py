"""The table of limits. docs/api.md has it for clients."""

from dataclasses import dataclass
from functools import cached_property

from limits import RateLimitItem, RateLimitItemPerSecond


@dataclass(frozen=True)
class Limit:
    """At most `amount` counts in any `seconds` for one subject (an address, an account …).

    `wide`: it keeps load away and protects no secret, so that everything is allowed while Redis
    cannot count. Any other limit is counted in the process's memory then.
    """

    name: str
    amount: int
    seconds: int
    wide: bool = False

    @cached_property
    def item(self) -> RateLimitItem:
        return RateLimitItemPerSecond(self.amount, self.seconds, namespace=self.name)


# Addresses have high limits: one address may be a household, an office, or a whole mobile network
# on the day of a sale. Accounts and carts are one person's, so theirs are low.
CHECKOUTS_OF_ADDRESS = Limit("checkouts-address", 300, 60, wide=True)
CHECKOUTS_OF_USER = Limit("checkouts-user", 60, 60, wide=True)
CHECKOUTS_OF_CART = Limit("checkouts-cart", 30, 60, wide=True)
WRITES_OF_ADDRESS = Limit("writes-address", 1200, 60, wide=True)
WRITES_OF_USER = Limit("writes-user", 300, 60, wide=True)
WRITES_OF_CART = Limit("writes-cart", 240, 60, wide=True)
NEW_CARTS_OF_ADDRESS = Limit("carts-address", 300, 60)
# Guests' carts stay in memory for weeks. These two keep what one address can fill of it below a
# sixth, by measured bytes (docs/operations.md). `wide`: a process would accumulate a day's counts.
NEW_CARTS_OF_ADDRESS_A_DAY = Limit("carts-address-day", 3_000, 86_400, wide=True)
CART_WRITES_OF_ADDRESS_A_DAY = Limit("cart-writes-address-day", 20_000, 86_400, wide=True)
TICKETS_OF_ADDRESS = Limit("tickets-address", 300, 60, wide=True)
LOGINS_OF_ADDRESS = Limit("logins-address", 60, 60)
LOGINS_OF_ACCOUNT = Limit("logins-account", 10, 60)
# Not the passwords' count: a thief who knows the password could clear that one with it.
CODES_OF_ACCOUNT = Limit("codes-account", 10, 60)
REGISTRATIONS_OF_ADDRESS = Limit("registrations-address", 30, 60)
# Mails are capped for each mailbox (apps/notifications/caps.py); these limit the requests for them.
RESETS_OF_ADDRESS = Limit("resets-address", 20, 3600)
RESETS_OF_ACCOUNT = Limit("resets-account", 10, 3600)
# Mails that inform an account's owner of a change.
NOTICES_OF_MAILBOX = Limit("notices-mailbox", 5, 3600)
# Of one order or cart: counted by wrong_tokens.py, and never applied to a token that is right.
WRONG_TOKENS = Limit("wrong-tokens", 60, 60)
PROMO_TRIES_OF_ADDRESS = Limit("promo-tries-address", 60, 60)
