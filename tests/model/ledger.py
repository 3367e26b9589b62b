"""The shop as a shopkeeper would keep it on paper: no database, no worker, no gateway.

`Paper` is told what people do and what the saga's log says, one line at a time, and knows from
that alone what must be in stock, who may still use a code, and what every order was paid and given
back. What follows for a single order is in paper_order.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.core import money
from tests.model.paper_order import CODE_USED, Refund, Return, Sale, Wish

SHIPPING, TAX_BP = 599, 825  # minor units, hundredths of a percent


@dataclass
class StockRow:
    """One SKU: what lies there, and what running orders hold of it."""

    price: int
    on_hand: int
    reserved: int = 0

    @property
    def free(self) -> int:
        return self.on_hand - self.reserved


@dataclass(frozen=True)
class Code:
    """A promo code. `off` is a share in hundredths of a percent, `amount` minor units."""

    off: int = 0
    amount: int = 0
    free_shipping: bool = False
    stackable: bool = False
    total_limit: int | None = None
    customer_limit: int | None = None


CODES: dict[str, Code] = {
    "ONCE": Code(off=1000, total_limit=1),
    "MINE": Code(amount=500, customer_limit=1),
    "GIFT": Code(off=10_000, stackable=True, total_limit=2),
    "POSTAGE": Code(free_shipping=True, stackable=True),
}


@dataclass
class Paper:
    """The whole shop on paper."""

    stock_rows: dict[str, StockRow]
    sales: list[Sale] = field(default_factory=list)

    # --- Buying --------------------------------------------------------------------------------

    def price(self, wish: Wish) -> tuple[dict[str, int], int]:
        """(what is paid for each SKU, total), codes and tax included."""
        left = [self.stock_rows[sku].price * units for sku, units in wish.lines.items()]
        for code in sorted(wish.codes, key=lambda code: -CODES[code].off):
            for off in (_half_up(sum(left) * CODES[code].off, 10_000), CODES[code].amount):
                shares = money.share_out(min(off, sum(left)), left)
                left = [amount - share for amount, share in zip(left, shares, strict=True)]
        shipping = 0 if any(CODES[code].free_shipping for code in wish.codes) else SHIPPING
        tax = _half_up(sum(left) * TAX_BP, 10_000)
        parts = zip(wish.lines, left, money.share_out(tax, left), strict=True)
        return {sku: net + taxed for sku, net, taxed in parts}, sum(left) + shipping + tax

    def refusals(self, wish: Wish) -> set[str]:
        """Why the shop may say no to `wish` now; empty: it has to say yes."""
        why = set()
        if wish.cart and self.live_sale_of(wish.cart):
            why.add("CartAlreadyOrdered")
        if not wish.lines or not _may_be_combined(wish.codes):
            why.add("NotQuotable")
        for code in wish.codes:
            limit, mine = CODES[code].total_limit, CODES[code].customer_limit
            if limit is not None and self.uses(code) >= limit:
                why |= {"NotQuotable", "PromoExhausted"}
            if mine is not None and self.uses_of(code, wish) >= mine:
                why |= {"NotQuotable", "PromoUsed"}
        if any(self.stock_rows[sku].free < units for sku, units in wish.lines.items()):
            why.add("OutOfStock")
        return why

    def sell(self, wish: Wish, order_id: UUID, request: Any) -> Sale:
        """The shop said yes. Fails when it had to say no."""
        assert not self.refusals(wish), f"{wish} was accepted in spite of {self.refusals(wish)}"
        paid_for, total = self.price(wish)
        sale = Sale(order_id, wish, request, paid_for, total, card=wish.card)
        for sku, units in wish.lines.items():
            self.stock_rows[sku].reserved += units
        self.sales.append(sale)
        return sale

    def live_sale_of(self, cart: UUID) -> Sale | None:
        live = [s for s in self.sales if s.wish.cart == cart and s.status != "CANCELLED"]
        return live[0] if live else None

    def uses(self, code: str) -> int:
        return sum(sale.code_is_used for sale in self.sales if code in sale.wish.codes)

    def uses_of(self, code: str, wish: Wish, *, unpaid: bool = False) -> int:
        """What counts for this customer: paid by the mailbox, or ordered by the account."""
        return sum(
            (sale.wish.user_id is not None and sale.wish.user_id == wish.user_id)
            or (sale.wish.email.lower() == wish.email.lower() and (sale.use_is_counted or unpaid))
            for sale in self.sales
            if code in sale.wish.codes and sale.code_is_used and sale.wish is not wish
        )

    def _paid_by_mailbox(self, code: str, wish: Wish) -> int:
        return sum(
            sale.use_is_counted and sale.wish.email.lower() == wish.email.lower()
            for sale in self.sales
            if code in sale.wish.codes and sale.code_is_used
        )

    # --- What the saga does --------------------------------------------------------------------

    def read(self, sale: Sale, step: str, direction: str, outcome: str, detail: str) -> None:
        """One line of the saga's log; the units go where it says."""
        before = sale.stock
        if (step, outcome, detail) == ("authorize_payment", "refused", CODE_USED):
            assert any(self.uses_of(code, sale.wish, unpaid=True) for code in sale.wish.codes)
        sale.read(step, direction, outcome, detail)
        for code in sale.wish.codes:
            mine = CODES[code].customer_limit
            assert mine is None or self._paid_by_mailbox(code, sale.wish) <= mine, sale
        for sku, units in sale.wish.lines.items():
            stock_row = self.stock_rows[sku]
            match before, sale.stock:
                case "held", "sold":
                    stock_row.on_hand -= units
                    stock_row.reserved -= units
                case "held", "back":
                    stock_row.reserved -= units
                case "sold", "back":
                    stock_row.on_hand += units

    # --- Returning -----------------------------------------------------------------------------

    def announce(self, sale: Sale, back: Return) -> None:
        sale.returns.append(back)
        sale.move("RETURN_INITIATED", only_from=("DELIVERED",))
        sale.mails["return_announced"] += 1

    def tell_of_refund(self, sale: Sale) -> None:
        """Money is back with the shopper, and they are told."""
        sale.notes += 1
        sale.mails["refund_sent"] += 1

    def refuse(self, sale: Sale, back: Return) -> None:
        """Nothing of it is accepted, and the shopper is told."""
        back.refused = True
        sale.mails["return_refused"] += 1
        if not all(announced.decided for announced in sale.returns):
            sale.notes += 1
        elif any(announced.received for announced in sale.returns):
            sale.move("RETURNED", only_from=("RETURN_INITIATED",))
        else:
            sale.move("DELIVERED", only_from=("RETURN_INITIATED",))

    def receive(
        self, sale: Sale, back: Return, accepted: Mapping[str, int], damaged: Mapping[str, int]
    ) -> None:
        """What is accepted is in stock again, but for the damaged, and its money on its way."""
        back.accepted = accepted
        amount = min(sale.worth(back), sale.left_to_refund)
        back.received = True
        for sku, units in accepted.items():
            self.stock_rows[sku].on_hand += units - damaged.get(sku, 0)
        if amount:
            sale.refunds[f"return:{back.id}"] = Refund(amount)
        if all(announced.decided for announced in sale.returns):
            sale.move("RETURNED", only_from=("RETURN_INITIATED",))
        elif accepted != back.lines:
            sale.notes += 1
        sale.mails["return_received"] += 1


def merged(mine: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Two carts in one: per SKU the larger quantity."""
    return {sku: max(mine.get(sku, 0), other.get(sku, 0)) for sku in {**mine, **other}}


def together(mine: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    """The codes of two carts, each once, in order."""
    return tuple(dict.fromkeys((*mine, *other)))


def _may_be_combined(codes: Sequence[str]) -> bool:
    return len(codes) < 2 or all(CODES[code].stackable for code in codes)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
