"""The discount that the promos of a cart give, line by line. Reads promos; redeems nothing.

Order of application: buy-X-get-Y, percentages, fixed amounts, free shipping; each applies to what
the ones before it left. A discount is divided over the lines it applies to, to the cent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import BooleanField, Case, Q, Value, When
from django.db.models.functions import Now

from apps.core import money
from apps.promos import uses
from apps.promos.codes import normalise
from apps.promos.errors import (
    PromoError,
    PromoExhausted,
    PromoExpired,
    PromoInvalid,
    PromoNotApplicable,
    PromoUsed,
)
from apps.promos.models import Promo

MOST_CODES = 5


@dataclass(frozen=True, slots=True)
class PricedLine:
    """The part of a cart's line that promos look at; amounts in minor units."""

    product_id: int
    category_path: str
    quantity: int
    unit_amount: int
    requires_shipping: bool = True


@dataclass(frozen=True, slots=True)
class AppliedPromo:
    """A promo that applies to this cart, and its discount in minor units."""

    promo_id: int
    code: str
    discount_amount: int


@dataclass(frozen=True, slots=True)
class Discounts:
    """`per_line`: minor units, in the order of the lines. `refused`: codes that do not apply."""

    per_line: tuple[int, ...]
    free_shipping: bool
    applied: tuple[AppliedPromo, ...]
    refused: tuple[PromoError, ...]


ORDER = {
    Promo.Kind.BUY_X_GET_Y: 0,
    Promo.Kind.PERCENTAGE: 1,
    Promo.Kind.FIXED: 2,
    Promo.Kind.FREE_SHIPPING: 3,
}


def discounts_for(
    lines: Sequence[PricedLine],
    codes: Iterable[str],
    *,
    customer_key: str | None = None,
    user_id: int | None = None,
    promos: Mapping[str, Promo] | None = None,
    live_uses: uses.LiveUses | None = None,
) -> Discounts:
    """Apply `codes` to `lines`: the first `MOST_CODES`; the others are refused.

    `customer_key` (mailbox) and `user_id` are for limits per customer; without them these are not
    checked. `promos` and `live_uses`: what `load` and `uses.live` returned for a whole batch; read
    here when absent.
    """
    nothing = tuple(0 for _ in lines)
    typed = {normalise(code): code for code in codes}
    if not typed:
        return Discounts(nothing, False, (), ())
    if promos is None:
        promos = load(typed.values())
    refused: list[PromoError] = []
    usable: list[_Usable] = []
    subtotal = sum(line.quantity * line.unit_amount for line in lines)
    for place, (normal, code) in enumerate(typed.items()):
        try:
            promo = promos.get(normal)
            if promo is None or not promo.active:
                raise PromoInvalid(code)
            if place >= MOST_CODES:
                raise PromoNotApplicable(promo.code, _one_too_many(promo))
            _check_usable(promo, subtotal, customer_key, user_id, live_uses)
            scope = _lines_in_scope(promo, lines)
            _check_stacking([*(other for other, _ in usable), promo])
            usable.append((promo, scope))
        except PromoError as error:
            refused.append(error)
    return _apply(usable, lines, refused)


_Usable = tuple[Promo, tuple[int, ...]]  # a promo, and the indexes of the lines it applies to


def _apply(
    usable: list[_Usable], lines: Sequence[PricedLine], refused: list[PromoError]
) -> Discounts:
    usable.sort(key=lambda entry: (ORDER[Promo.Kind(entry[0].kind)], entry[0].pk))
    left = [line.quantity * line.unit_amount for line in lines]
    applied = []
    for promo, scope in usable:
        off = _take_off(promo, scope, lines, left)
        for place, amount in zip(scope, off, strict=True):
            left[place] -= amount
        applied.append(AppliedPromo(promo.pk, promo.code, sum(off)))
    per_line = tuple(
        line.quantity * line.unit_amount - rest for line, rest in zip(lines, left, strict=True)
    )
    free = any(promo.kind == Promo.Kind.FREE_SHIPPING for promo, _ in usable)
    return Discounts(per_line, free, tuple(applied), tuple(refused))


def load(codes: Iterable[str]) -> dict[str, Promo]:
    """The promos behind `codes`, by normal code, with the attributes that `discounts_for` reads."""
    wanted = {normalise(code) for code in codes} - {""}
    if not wanted:
        return {}
    # The database's clock decides whether a promo has started or ended.
    found = (
        Promo.objects.filter(normal_code__in=wanted)
        .annotate(
            started=_is_true(Q(starts_at__isnull=True) | Q(starts_at__lte=Now())),
            ended=_is_true(Q(ends_at__lte=Now())),
        )
        .prefetch_related("products", "categories")
    )
    for promo in found:
        # Computed once for a batch, not once for each of its checkouts.
        promo.scope = (  # type: ignore[attr-defined]
            frozenset(product.pk for product in promo.products.all()),
            tuple(category.path for category in promo.categories.all()),
        )
    return {promo.normal_code: promo for promo in found}


def _is_true(condition: Q) -> Case:
    return Case(
        When(condition, then=Value(True)), default=Value(False), output_field=BooleanField()
    )


def _check_usable(
    promo: Promo,
    subtotal: int,
    customer_key: str | None,
    user_id: int | None,
    live_uses: uses.LiveUses | None,
) -> None:
    if not promo.started:  # type: ignore[attr-defined]
        raise PromoInvalid(promo.code)
    if promo.ended:  # type: ignore[attr-defined]
        raise PromoExpired(promo.code)
    if promo.total_limit is not None and promo.used >= promo.total_limit:
        raise PromoExhausted(promo.code)
    if promo.customer_limit is not None and (customer_key or user_id is not None):
        own = uses.of_customer(
            promo.pk, customer_key=customer_key, user_id=user_id, known=live_uses
        )
        if own >= promo.customer_limit:
            raise PromoUsed(promo.code)
    if subtotal < promo.min_subtotal_amount:
        least = money.for_people(promo.min_subtotal_amount, promo.currency)
        raise PromoNotApplicable(promo.code, f"{promo.code} needs a subtotal of {least} or more.")


def _check_stacking(promos: list[Promo]) -> None:
    if len(promos) > 1 and not all(promo.stackable for promo in promos):
        raise PromoNotApplicable(
            promos[-1].code, f"{promos[-1].code} cannot be combined with another code."
        )


def _one_too_many(promo: Promo) -> str:
    return f"{promo.code} does not count: an order takes {MOST_CODES} codes. Take one off first."


def _lines_in_scope(promo: Promo, lines: Sequence[PricedLine]) -> tuple[int, ...]:
    products, paths = promo.scope  # type: ignore[attr-defined]
    scope = tuple(range(len(lines)))
    if products or paths:
        scope = tuple(
            place
            for place, line in enumerate(lines)
            if line.product_id in products or (paths and line.category_path.startswith(paths))
        )
        if not scope:
            raise PromoNotApplicable(promo.code, f"Nothing in this cart goes with {promo.code}.")
    shipped = any(line.requires_shipping for line in lines)
    if promo.kind == Promo.Kind.FREE_SHIPPING and lines and not shipped:
        raise PromoNotApplicable(
            promo.code, f"{promo.code} pays for delivery, and nothing here is delivered."
        )
    if promo.kind == Promo.Kind.BUY_X_GET_Y:
        # If it were applied without a free unit, a use would be spent for nothing.
        units = sum(lines[place].quantity for place in scope)
        if units <= promo.buy_quantity:
            raise PromoNotApplicable(
                promo.code,
                f"{promo.code} needs {promo.buy_quantity + 1} matching items or more.",
            )
    return scope


def _take_off(
    promo: Promo, scope: tuple[int, ...], lines: Sequence[PricedLine], left: list[int]
) -> list[int]:
    """The discount on each line of `scope`, in minor units."""
    rest = [left[place] for place in scope]
    match promo.kind:
        case Promo.Kind.PERCENTAGE:
            exact = Decimal(sum(rest)) * promo.percent_bp / 10_000
            return money.share_out(money.round_half_up(exact), rest)
        case Promo.Kind.FIXED:
            return money.share_out(min(promo.amount, sum(rest)), rest)
        case Promo.Kind.BUY_X_GET_Y:
            return _cheapest_free(promo, scope, lines, rest)
        case _:
            return [0] * len(scope)


def _cheapest_free(
    promo: Promo, scope: tuple[int, ...], lines: Sequence[PricedLine], rest: list[int]
) -> list[int]:
    """In every full group of buy + get units, the cheapest `get` units of the cart are free.

    An incomplete group gives the units beyond `buy`.
    """
    units = sum(lines[place].quantity for place in scope)
    group = promo.buy_quantity + promo.get_quantity
    free = units // group * promo.get_quantity + max(units % group - promo.buy_quantity, 0)
    off = [0] * len(scope)
    for i in sorted(range(len(scope)), key=lambda i: (lines[scope[i]].unit_amount, scope[i])):
        line = lines[scope[i]]
        count = min(free, line.quantity)
        off[i] = min(count * line.unit_amount, rest[i])
        free -= count
    return off
