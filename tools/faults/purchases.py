"""Who buys what: drawn from the seed and the purchase's number, so that a run can be repeated."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.faults.goods import COLD, HOT, PROMO, PROMO_ONCE, SCARCE

VISA, MASTERCARD = "pm_card_visa", "pm_card_mastercard"
DECLINED = "pm_card_visa_chargeDeclined"
NO_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
CHALLENGED = "pm_card_threeDSecure2Required"
SAYS_NO = (DECLINED, NO_FUNDS)
CARDS = {VISA: 66, MASTERCARD: 10, DECLINED: 7, NO_FUNDS: 4, CHALLENGED: 13}
ADDRESS = {
    "name": "Alice Archer",
    "line1": "12 Pine Street",
    "line2": "",
    "city": "Portland",
    "region": "OR",
    "postal_code": "97201",
    "country": "US",
    "phone": "",
}


@dataclass(frozen=True, slots=True)
class Purchase:
    """What one shopper buys, and what they do afterwards."""

    number: int
    key: str
    lines: tuple[tuple[str, int], ...]
    card: str
    email: str
    promo: str = ""
    by_cart: bool = False
    cancels: bool = False
    decision: str = ""  # at the bank's page: approve, refuse, or none
    pays_again: tuple[str, ...] = ()  # cards that they try after one was declined, one by one
    asks_again: bool = False
    patience: float = 0.0  # seconds until they cancel

    @property
    def is_declined(self) -> bool:
        """Whether the first card will be, or the bank is told to decline it."""
        return self.card in SAYS_NO or (self.card == CHALLENGED and self.decision == "refuse")

    @property
    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "email": self.email,
            "shipping_address": ADDRESS,
            "shipping_method": "standard",
            "payment_method": self.card,
            "lines": [{"sku": sku, "quantity": quantity} for sku, quantity in self.lines],
        }
        return body | ({"promo_code": self.promo} if self.promo else {})


@dataclass(slots=True)
class LoadSettings:
    """What can be changed about the load during a run."""

    rate: float = 20.0  # purchases begun a second
    opposite_carts: bool = False  # all buy the same goods, half of them in the opposite order


def purchases(seed: int, settings: LoadSettings) -> Iterator[Purchase]:
    """An endless series of purchases, the same for the same seed."""
    number = 0
    while True:
        number += 1
        yield _purchase(seed, number, settings)


def _purchase(seed: int, number: int, settings: LoadSettings) -> Purchase:
    dice = random.Random(f"{seed}:{number}")
    if settings.opposite_carts:
        skus = [HOT, COLD[0], COLD[1]]
        if number % 2:
            skus.reverse()
    else:
        count = dice.choices((1, 2, 3), (55, 30, 15))[0]
        first = dice.choices((HOT, SCARCE, dice.choice(COLD)), (50, 8, 42))[0]
        rest = dice.sample([sku for sku in (HOT, *COLD) if sku != first], count - 1)
        skus = [first, *rest]
        dice.shuffle(skus)
    card = dice.choices(list(CARDS), list(CARDS.values()))[0]
    return Purchase(
        number=number,
        key=f"{dice.getrandbits(128):032x}",
        lines=tuple((sku, dice.choice((1, 1, 1, 2))) for sku in skus),
        card=card,
        email=f"shopper{dice.randrange(400)}@example.com",
        promo=dice.choices(("", PROMO, PROMO_ONCE), (86, 8, 6))[0],
        by_cart=dice.random() < 0.06,
        cancels=dice.random() < 0.07,
        decision=dice.choices(("approve", "refuse", ""), (60, 25, 15))[0],
        asks_again=dice.random() < 0.03,
        patience=dice.uniform(0.0, 3.0),
        # Last: what is drawn before stays as it was for a seed.
        pays_again=dice.choices(((), (VISA,), (DECLINED, VISA)), (30, 55, 15))[0],
    )
