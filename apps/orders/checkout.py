"""A whole purchase, read straight down: the steps, and for each what undoes it.

    intake (intake.py)          reserve_stock, redeem_promo: done when the order is accepted
    worker (saga.py)            authorize_payment … notify, one after the other, many orders at once

A step is a pair of functions over a batch of orders:

    ask(order_ids)              questions for the outside world; asked with no transaction open
    do(works, answers)          what to write: runs in one transaction with the saga's own move
    undo_ask, undo              the same for the way back; each is safe to run again

`do` returns one Outcome per order: Done, Wait, Refused or Retry (outcomes.py). Refused turns the
saga round; undoing begins with the refused step itself, because a charge that timed out may have
gone through. After the last step nothing unwinds by itself.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings

from apps.inventory import holds
from apps.notifications import outbox
from apps.orders import letters, moves
from apps.orders.models import Order, Saga
from apps.orders.moves import Move
from apps.orders.outcomes import Done, Outcome, Refused, Retry, Wait
from apps.payments import charging
from apps.payments.charging import Answer, Question
from apps.payments.models import Payment
from apps.promos import redeem
from apps.shipping import parcels
from apps.shipping.models import Shipment

S = Order.Status
P = Payment.Status


@dataclass(frozen=True, slots=True)
class Work:
    """One order at one step, as a worker has claimed it."""

    order_id: UUID
    epoch: int
    attempts: int
    step: str
    state: str
    past_deadline: bool
    long_overdue: bool
    cancel_requested: bool
    cancel_reason: str


Works = list[Work]
Outcomes = Mapping[UUID, Outcome]
Ask = Callable[[Works], list[Question]]
Write = Callable[[Works, list[Answer]], Outcomes]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the table below. `do` is None for what the intake has done already."""

    name: str
    do: Write | None
    undo: Write | None
    ask: Ask | None = None
    undo_ask: Ask | None = None


def ids(works: Iterable[Work]) -> list[UUID]:
    """The order ids of a batch."""
    return [work.order_id for work in works]


def all_done(works: Works, detail: str = "") -> Outcomes:
    """Done for everyone."""
    return {work.order_id: Done(detail) for work in works}


# --- authorize payment --------------------------------------------------------------------------


def ask_authorization(works: Works) -> list[Question]:
    """A PaymentIntent with manual capture, under a key from our own row."""
    return charging.authorizations(ids(works))


def authorize(works: Works, answers: list[Answer]) -> Outcomes:
    """The bank's word: yes, no, or "ask the shopper" (3-D Secure)."""
    payments = charging.record(answers, order_ids=ids(works))
    said = {answer.payment_id: answer for answer in answers}
    outcomes: dict[UUID, Outcome] = {}
    wishes: list[Move] = []
    for work in works:
        payment = payments[work.order_id]
        answer = said.get(payment.pk)
        match payment.status:
            case P.AUTHORIZED | P.CAPTURED:
                outcomes[work.order_id] = Done(payment.intent_id or "nothing to pay")
                wishes.append(Move(work.order_id, S.PAYMENT_AUTHORIZED))
            case P.FAILED | P.VOIDED | P.REFUNDED:
                outcomes[work.order_id] = Refused("declined", payment.message)
            case _ if work.past_deadline:
                outcomes[work.order_id] = Refused(
                    "expired", "The payment was not completed in time."
                )
            case P.REQUIRES_ACTION:
                outcomes[work.order_id] = Wait("the shopper's bank")
                action = {"type": "redirect", "url": payment.next_action_url}
                wishes.append(Move(work.order_id, S.REQUIRES_ACTION, next_action=action))
            case _ if answer is not None and answer.refused:
                outcomes[work.order_id] = Refused("payment_refused", "The payment was refused.")
            case _ if answer is not None and answer.transient:
                outcomes[work.order_id] = Retry(
                    answer.transient, blameless=True, untried=answer.turned_away
                )
            case _ if answer is not None and answer.broken:
                outcomes[work.order_id] = Retry(answer.broken)
            case _:
                outcomes[work.order_id] = Wait("the gateway")
    moves.make(wishes)
    # The shopper must not lose her units to a slow gateway; the cap is the saga's deadline.
    late = [order_id for order_id, outcome in outcomes.items() if isinstance(outcome, Retry)]
    holds.extend(late, hold_time=settings.HOLD_TIME, cap=settings.HOLD_TIME_CAP)
    return outcomes


def ask_call_back(works: Works) -> list[Question]:
    """Void what is reserved, refund what is taken."""
    return charging.call_backs(ids(works), reason="order cancelled")


def call_back(works: Works, answers: list[Answer]) -> Outcomes:
    """Done when nothing of the shopper's money is with us any more."""
    payments = charging.record(answers, order_ids=ids(works))
    said = {answer.payment_id: answer for answer in answers}
    outcomes: dict[UUID, Outcome] = {}
    for work in works:
        payment = payments[work.order_id]
        answer = said.get(payment.pk)
        if payment.status in (P.VOIDED, P.REFUNDED):
            outcomes[work.order_id] = Done(str(payment.status))
        else:
            outcomes[work.order_id] = _again(answer, "not called back yet")
    return outcomes


def _again(answer: Answer | None, otherwise: str) -> Retry:
    """Once more, because of what came of the question; an outage is nobody's fault."""
    if answer is None:
        return Retry(otherwise)
    trouble = answer.transient or answer.broken or answer.refused
    return Retry(trouble or otherwise, blameless=bool(answer.transient), untried=answer.turned_away)


# --- confirm stock ------------------------------------------------------------------------------


def confirm_stock(works: Works, answers: list[Answer]) -> Outcomes:
    """Hold → sale: the units leave the shelf."""
    confirmed = holds.confirm(ids(works))
    return {
        work.order_id: Done()
        if work.order_id in confirmed
        else Refused("sold_out", "The items are no longer held for this order.")
        for work in works
    }


def restock(works: Works, answers: list[Answer]) -> Outcomes:
    """Sale → shelf."""
    holds.restock(ids(works), reason="order cancelled")
    return all_done(works)


# --- capture payment ----------------------------------------------------------------------------


def ask_capture(works: Works) -> list[Question]:
    """Take the authorized money."""
    return charging.captures(ids(works))


def capture(works: Works, answers: list[Answer]) -> Outcomes:
    """Settled: with stock confirmed before, the order is confirmed."""
    payments = charging.record(answers, order_ids=ids(works))
    said = {answer.payment_id: answer for answer in answers}
    outcomes: dict[UUID, Outcome] = {}
    for work in works:
        payment = payments[work.order_id]
        answer = said.get(payment.pk)
        if payment.status == P.CAPTURED:
            outcomes[work.order_id] = Done(payment.intent_id or "nothing to pay")
        elif payment.status != P.AUTHORIZED or (answer is not None and answer.refused):
            outcomes[work.order_id] = Refused("capture_refused", "The payment has lapsed.")
        else:
            outcomes[work.order_id] = _again(answer, "not captured yet")
    moves.make(
        Move(order_id, S.CONFIRMED)
        for order_id, outcome in outcomes.items()
        if isinstance(outcome, Done)
    )
    return outcomes


# --- create shipment ----------------------------------------------------------------------------


def create_shipment(works: Works, answers: list[Answer]) -> Outcomes:
    """A label, a tracking number, an estimate."""
    shown = Order.objects.only("number", "shipping_method", "shipping_address")
    orders = shown.in_bulk(ids(works))
    labels = parcels.create_labels(
        [
            parcels.ParcelRequest(
                order_id=work.order_id,
                number=orders[work.order_id].number,
                method_code=orders[work.order_id].shipping_method,
                address=orders[work.order_id].shipping_address,
            )
            for work in works
        ]
    )
    return {
        work.order_id: Done(labels[work.order_id].tracking_number)
        if work.order_id in labels and labels[work.order_id].state != Shipment.State.CANCELLED
        else Refused("no_shipment", "We cannot ship this order.")
        for work in works
    }


def cancel_shipment(works: Works, answers: list[Answer]) -> Outcomes:
    """Void the label. A parcel that has left is a matter for people."""
    cancelled = parcels.cancel(ids(works))
    return {
        work.order_id: Done() if work.order_id in cancelled else Retry("the parcel has left")
        for work in works
    }


# --- release stock, give the promo back ---------------------------------------------------------


def release_stock(works: Works, answers: list[Answer]) -> Outcomes:
    """Hold → shelf."""
    holds.release(ids(works))
    return all_done(works)


def give_back_promo(works: Works, answers: list[Answer]) -> Outcomes:
    """The code may be used again."""
    redeem.give_back(ids(works))
    return all_done(works)


# --- notify -------------------------------------------------------------------------------------


def notify(works: Works, answers: list[Answer]) -> Outcomes:
    """One confirmation per order, sent by the background worker."""
    outbox.put(letters.confirmations(ids(works)))
    return all_done(works)


# --- the table ----------------------------------------------------------------------------------

CHECKOUT: tuple[Step, ...] = (
    Step("reserve_stock", do=None, undo=release_stock),
    Step("redeem_promo", do=None, undo=give_back_promo),
    Step("authorize_payment", do=authorize, ask=ask_authorization,
         undo=call_back, undo_ask=ask_call_back),
    Step("confirm_stock", do=confirm_stock, undo=restock),
    Step("capture_payment", do=capture, ask=ask_capture,
         undo=call_back, undo_ask=ask_call_back),
    Step("create_shipment", do=create_shipment, undo=cancel_shipment),
    Step("notify", do=notify, undo=None),  # past the point of no return
)  # fmt: skip

FIRST_STEP = next(step.name for step in CHECKOUT if step.do is not None)
LAST_UNDOABLE = [step.name for step in CHECKOUT if step.undo is not None][-1]
BY_NAME = {step.name: step for step in CHECKOUT}


def asks(name: str, state: str) -> bool:
    """Whether a step asks the outside world, on its way forward or back."""
    step = BY_NAME[name]
    return (step.undo_ask if state == Saga.State.UNDOING else step.ask) is not None


def step_after(name: str) -> str | None:
    """The next step forward; None after the last."""
    names = [step.name for step in CHECKOUT]
    place = names.index(name) + 1
    return names[place] if place < len(names) else None


def undo_from(name: str) -> str:
    """Where undoing starts when the saga turns round at `name`: there, or the last undoable."""
    names = [step.name for step in CHECKOUT]
    place = min(names.index(name), names.index(LAST_UNDOABLE))
    return names[place]


def undo_after(name: str) -> str | None:
    """The next step to undo after `name`; None when everything is undone."""
    names = [step.name for step in CHECKOUT]
    place = names.index(name) - 1
    return names[place] if place >= 0 else None
