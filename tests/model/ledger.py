"""The shop as a shopkeeper would keep it on paper: no database, no worker, no gateway.

`Paper` is told what people do and what the saga's log says, one line at a time, and knows from
that alone what must be in stock, who may still use a code, what every order was paid and given
back, which mails went out and through which statuses it went. A line that may not follow on the one
before (a step that is done twice, a refusal without a cause) is an error by itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.core import money

SHIPPING, TAX_BP = 599, 825  # minor units, hundredths of a percent
STEPS = (
    "redeem_promo",
    "reserve_stock",
    "authorize_payment",
    "confirm_stock",
    "capture_payment",
    "create_shipment",
    "notify",
)
BEFORE_SHIPMENT = (
    *("PENDING", "REQUIRES_ACTION", "PAYMENT_FAILED", "PAYMENT_AUTHORIZED", "CONFIRMED"),
)
MOST_CARDS = 5  # that are tried for one order
ANOTHER_CARD = "another card"  # what a declined order waits for
CODE_USED = "The code has been used before."  # why an order that is being paid was refused
AT_THE_GATEWAY = ("authorize_payment", "capture_payment")  # ask the gateway, forward and back

# What the cards do, by the gateway's tokens.
GOOD, DECLINED, UNKNOWN = "pm_card_visa", "pm_card_visa_chargeDeclined", "pm_card_nobody"
ASKS, ASKS_IN_VAIN = "pm_card_threeDSecure2Required", "pm_card_threeDSecureRequiredChargeDeclined"
SLOW_REFUND = "pm_card_pendingRefund"
CARDS = (GOOD, ASKS, DECLINED, ASKS_IN_VAIN, SLOW_REFUND, UNKNOWN)


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


@dataclass
class Refund:
    """Money that goes back for one purpose."""

    amount: int
    settled: bool = False


@dataclass
class Return:
    """Goods announced to come back. `id` is the shop's; `accepted` are units, once received."""

    id: Any
    lines: Mapping[str, int]
    received: bool = False
    refused: bool = False
    accepted: Mapping[str, int] = field(default_factory=dict)

    @property
    def decided(self) -> bool:
        return self.received or self.refused


@dataclass
class Wish:
    """What a shopper wants to buy, before the shop has said yes."""

    email: str
    lines: Mapping[str, int]
    codes: tuple[str, ...] = ()
    card: str = GOOD
    cart: UUID | None = None
    user_id: int | None = None


@dataclass
class Sale:
    """One accepted order, and everything that follows from what has happened to it."""

    order_id: UUID
    wish: Wish
    request: Any
    paid_for: Mapping[str, int]  # by SKU, discount and tax included
    total: int
    # Where the saga stands: its direction and step, or "done", "undone".
    way: str = "do"
    step: str = "authorize_payment"
    in_review: bool = False
    backing_off: bool = False
    # What has happened to it.
    called_off: bool = False  # the shop accepted a cancellation, or staff decided to undo
    turned: bool = False
    out_of_time: bool = False
    card: str = ""  # the one that is tried, or was last
    cards: int = 1  # how many were tried
    awaits_card: bool = False  # the last one was declined, and another one may follow
    challenge: str = ""  # "open", then "approved", "refused" or "late"
    bank_page: str = ""
    lapsed: bool = False  # the bank has let the authorization go
    capture_was_asked: bool = False  # or may have been
    # What follows from it.
    stock: str = "held"  # held → sold → back, or held → back
    captured: int = 0
    use_is_counted: bool = False  # against the customer's limit: it was paid
    nothing_kept: bool = False  # the saga says that the money is called back
    statuses: list[str] = field(default_factory=lambda: ["PENDING"])
    asked_meanwhile: bool = False  # a challenge may have been shown though the saga turned back
    parcel: str = ""
    mails: Counter[str] = field(default_factory=Counter)
    notes: int = 0  # events that are no move: money that arrived
    refunds: dict[str, Refund] = field(default_factory=dict)  # by purpose; not the saga's own
    called_back: dict[str, Refund] = field(default_factory=dict)  # the saga's own
    returns: list[Return] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<{self.status} at {self.way} {self.step}, {dict(self.wish.lines)}>"

    @property
    def status(self) -> str:
        return self.statuses[-1]

    @property
    def over(self) -> bool:
        return self.way in ("done", "undone")

    @property
    def code_is_used(self) -> bool:
        return self.way != "undone"  # giving it back is the last undo

    @property
    def left_to_refund(self) -> int:
        return self.captured - sum(
            refund.amount for refund in (*self.refunds.values(), *self.called_back.values())
        )

    @property
    def given_back(self) -> int:
        """Minor units of refunds that are known to have arrived."""
        refunds = (*self.refunds.values(), *self.called_back.values())
        return sum(refund.amount for refund in refunds if refund.settled)

    @property
    def cancellable(self) -> bool:
        """What the shop should answer to a cancellation; True also when it is on its way."""
        if self.in_review:
            return False
        return self.way == "undo" or (self.way != "undone" and self.status in BEFORE_SHIPMENT)

    @property
    def can_leave(self) -> bool:
        """Whether the parcel may be handed to the carrier."""
        everything_refunded = self.captured > 0 and self.given_back == self.captured
        return (self.way, self.status) == ("done", "CONFIRMED") and not everything_refunded

    def units(self, sku: str) -> int:
        return self.wish.lines.get(sku, 0)

    def returnable(self, sku: str) -> int:
        return self.units(sku) - sum(announced.lines.get(sku, 0) for announced in self.returns)

    def worth(self, back: Return) -> int:
        """What a return gives back: its part of what was paid for each of its lines."""
        amount = 0
        for sku, units in back.accepted.items():
            paid = self.paid_for[sku]
            before = sum(
                r.accepted.get(sku, 0) for r in self.returns if r.received and r is not back
            )
            amount += paid * (before + units) // self.units(sku) - paid * before // self.units(sku)
        return amount

    @property
    def payable(self) -> bool:
        """Whether another card may be tried."""
        stands = self.way == "do" and not self.in_review and not self.called_off
        return stands and self.awaits_card and not self.out_of_time

    def pay_again(self, card: str) -> None:
        """The shopper tries another card."""
        self.card, self.cards = card, self.cards + 1
        self.awaits_card, self.challenge, self.bank_page = False, "", ""
        self._move("PENDING", only_from=("PAYMENT_FAILED",))

    # --- The saga's log, line by line ----------------------------------------------------------

    def read(self, step: str, direction: str, outcome: str, detail: str) -> None:
        """One line of the log. Fails when it may not follow here."""
        said = f"{direction} {step}: {outcome} ({detail})"
        assert (direction, step) == (self.way, self.step), f"{said} by {self}"
        assert not self.in_review, f"{said} while a person decides about {self}"
        self.backing_off = outcome == "retry"
        if outcome == "review":
            self.in_review = True
        elif direction == "undo":
            assert outcome == "done" or (outcome == "retry" and step in AT_THE_GATEWAY), said
            if outcome == "done":
                self._undone(step)
        else:
            assert outcome in ("done", "wait", "retry", "refused", "stopped"), said
            self._done(step, outcome, detail, said)

    def _done(self, step: str, outcome: str, detail: str, said: str) -> None:
        assert step in AT_THE_GATEWAY or outcome in ("done", "stopped"), (
            f"{said}: the gateway was not asked"
        )
        if outcome == "wait" and detail == ANOTHER_CARD:
            self._wait_for_another_card(said)
        elif outcome == "wait":
            assert self.card in (ASKS, ASKS_IN_VAIN), said
            self.challenge = self.challenge or "open"
            self._move("REQUIRES_ACTION", only_from=("PENDING",))
        if outcome == "done":
            self._take_effect(step)
        if outcome == "refused" and detail != CODE_USED:
            assert self._may_refuse(step), f"{said} of {self}"
            if step == "authorize_payment":
                self._move("PAYMENT_FAILED", only_from=("PENDING", "REQUIRES_ACTION"))
        if outcome == "stopped":
            assert self.called_off, f"{said}, and it was not asked for"
            self.asked_meanwhile = (step, self.status) == ("authorize_payment", "PENDING")
        if outcome in ("refused", "stopped") or (outcome == "done" and self.called_off):
            self.turn_back()
        elif outcome == "done":
            self._go_on()

    def _wait_for_another_card(self, said: str) -> None:
        assert self._is_declined() and self.cards < MOST_CARDS, f"{said} of {self}"
        if not self.awaits_card:
            self.awaits_card, self.out_of_time = True, False
            self._move("PAYMENT_FAILED", only_from=("PENDING", "REQUIRES_ACTION"))
            self.mails["payment_declined"] = 1  # one, however many cards are tried

    def _is_declined(self) -> bool:
        in_vain = self.card == ASKS_IN_VAIN and self.challenge == "approved"
        return self.card == DECLINED or self.challenge == "refused" or in_vain

    def _take_effect(self, step: str) -> None:
        match step:
            case "authorize_payment":
                self.use_is_counted = True
                assert self.card not in (DECLINED, ASKS_IN_VAIN, UNKNOWN) or self.total == 0
                assert self.card != ASKS or self.challenge == "approved" or self.total == 0
                self._move("PAYMENT_AUTHORIZED", only_from=("PENDING", "REQUIRES_ACTION"))
            case "confirm_stock":
                assert self.stock == "held", self
                self.stock = "sold"
            case "capture_payment":
                self.captured = self.total
                self._move("CONFIRMED", only_from=("PAYMENT_AUTHORIZED",))
            case "create_shipment":
                self.parcel = "labelled"
            case "notify":
                self.mails["order_confirmed"] += 1

    def _may_refuse(self, step: str) -> bool:
        if step == "authorize_payment":
            last = self.cards == MOST_CARDS or self.called_off
            return (
                self.card == UNKNOWN
                or (self._is_declined() and last)
                or self.lapsed
                or self.out_of_time
            )
        return self.lapsed or (self.captured > 0 and self.given_back == self.captured)

    def _undone(self, step: str) -> None:
        match step:
            case "create_shipment":
                self.parcel = "cancelled" if self.parcel else ""
            case "authorize_payment" | "capture_payment":
                self.nothing_kept = True
            case "confirm_stock" if self.stock == "sold":
                self.stock = "back"
            case "reserve_stock" if self.stock == "held":
                self.stock = "back"
        place = STEPS.index(step)
        if place == 0:
            self.way = "undone"
            self._move("PAYMENT_FAILED", only_from=("REQUIRES_ACTION",))
            self._move("CANCELLED", only_from=BEFORE_SHIPMENT)
            self.mails["order_cancelled"] += 1
        else:
            self.step = STEPS[place - 1]

    def _go_on(self) -> None:
        place = STEPS.index(self.step) + 1
        if place == len(STEPS):
            self.way = "done"
        else:
            self.step = STEPS[place]
            self.capture_was_asked |= self.step == "capture_payment"

    def turn_back(self) -> None:
        """From here on everything is undone, beginning with the step where it stands."""
        self.turned = True
        self.way = "undo"
        self.step = "create_shipment" if self.step == "notify" else self.step

    def _move(self, status: str, *, only_from: Sequence[str]) -> None:
        if self.status in only_from:
            self.statuses.append(status)


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
        sale._move("RETURN_INITIATED", only_from=("DELIVERED",))
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
            sale._move("RETURNED", only_from=("RETURN_INITIATED",))
        else:
            sale._move("DELIVERED", only_from=("RETURN_INITIATED",))

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
            sale._move("RETURNED", only_from=("RETURN_INITIATED",))
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
