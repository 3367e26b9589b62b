"""One order on paper: what a shopper wished for, and what follows from the saga's log.

A `Sale` is told the log one line at a time, and knows from that alone through which statuses it
went, where its units and its money are, and which mails went out. A line that may not follow on the
one before (a step that is done twice, a refusal without a cause) is an error by itself.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

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
        self.move("PENDING", only_from=("PAYMENT_FAILED",))

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
            self.move("REQUIRES_ACTION", only_from=("PENDING",))
        if outcome == "done":
            self._take_effect(step)
        if outcome == "refused" and detail != CODE_USED:
            assert self._may_refuse(step), f"{said} of {self}"
            if step == "authorize_payment":
                self.move("PAYMENT_FAILED", only_from=("PENDING", "REQUIRES_ACTION"))
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
            self.move("PAYMENT_FAILED", only_from=("PENDING", "REQUIRES_ACTION"))
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
                self.move("PAYMENT_AUTHORIZED", only_from=("PENDING", "REQUIRES_ACTION"))
            case "confirm_stock":
                assert self.stock == "held", self
                self.stock = "sold"
            case "capture_payment":
                self.captured = self.total
                self.move("CONFIRMED", only_from=("PAYMENT_AUTHORIZED",))
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
            self.move("PAYMENT_FAILED", only_from=("REQUIRES_ACTION",))
            self.move("CANCELLED", only_from=BEFORE_SHIPMENT)
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

    def move(self, status: str, *, only_from: Sequence[str]) -> None:
        if self.status in only_from:
            self.statuses.append(status)
