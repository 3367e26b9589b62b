"""Which codes a cart keeps when another one is typed.

Codes that go together are all kept. Of two that cannot be combined the better one is kept, and the
shopper is told: a worse code must not silently cost them money. Free shipping cannot be compared
before it is known where the parcel goes; then the code typed last is kept. A code of the cart that
has ended since makes room, and the shopper is told; one code more than an order takes is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.core import money
from apps.orders.intake.quote import Quote, QuoteProblem
from apps.promos.pricing import MOST_CODES

Codes = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """What became of a code, for the shopper. `code` is for apps."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Choice:
    """`codes` are those that the cart is to keep, `quote` what it costs with them.

    `refused` says why the typed code does not apply: then the cart stays as it was.
    """

    codes: Codes
    quote: Quote
    refused: QuoteProblem | None = None
    note: Note | None = None


def choose(kept: Sequence[str], code: str, quote_with: Callable[[Codes], Quote]) -> Choice:
    """Decide about `code` in a cart that has the codes `kept`; `quote_with` prices the cart."""
    together = quote_with((*kept, code))
    refused = _refused(together)
    if not refused:
        return Choice(_applied(together), together)
    if not kept:
        return Choice((), together, refused=refused[-1])
    alone = quote_with((code,))
    before = quote_with(tuple(kept))
    if wrong := _refused(alone):
        return Choice(tuple(kept), before, refused=wrong[-1])
    others, new = " and ".join(_applied(before)), " and ".join(_applied(alone))
    if left_out := _refused(before):
        together = quote_with((*_applied(before), code))
        refused = _refused(together)
        if not refused:
            why = " ".join(problem.message for problem in left_out)
            note = Note("code_left_out", f"{new} counts. {why}")
            return Choice(_applied(together), together, note=note)
    if len(_applied(before)) >= MOST_CODES:
        return Choice(tuple(kept), before, refused=refused[-1])
    if _is_better(before, alone):
        text = (
            f"{others} saves you {_saved(before)} here and cannot be combined with {new}, which"
            f" saves {_saved(alone)}. So {others} stays."
        )
        return Choice(tuple(kept), before, note=Note("better_code_kept", text))
    text = f"{new} took the place of {others}: they cannot be combined."
    return Choice(_applied(alone), alone, note=Note("code_replaced", text))


def _refused(quote: Quote) -> list[QuoteProblem]:
    return [problem for problem in quote.problems if problem.promo_code]


def _applied(quote: Quote) -> Codes:
    return tuple(promo.code for promo in quote.promos)


def _is_better(one: Quote, other: Quote) -> bool:
    """Whether `one` certainly saves more than `other`."""
    # A code that takes nothing off the goods pays for the shipping.
    by_shipping = any(
        promo.discount_amount == 0 for quote in (one, other) for promo in quote.promos
    )
    return not by_shipping and one.discount_amount > other.discount_amount


def _saved(quote: Quote) -> str:
    return money.for_people(quote.discount_amount, quote.currency)
