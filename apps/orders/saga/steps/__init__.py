"""A whole purchase, read from top to bottom: the steps, and for each what undoes it.

Forward, the saga runs `do` of one step after another. Where a step has an `ask`, the gateway is
asked first. When a step refuses, or the order is cancelled, the saga turns back and runs `undo`
from there to the top. It begins with the refused step itself, because a charge that timed out may
have gone through. After the last step nothing is undone unless the order is cancelled.

The first two steps run in the intake, for a batch of checkouts in the transaction that makes them
orders: promo codes before stock (ADR 6). A worker runs the others, for many orders at once
(engine.py). step.py says what each function takes and returns.
"""

from apps.orders.saga.outcomes import CancelReason
from apps.orders.saga.step import Runner, Step
from apps.orders.saga.steps import (
    authorize_payment,
    capture_payment,
    confirm_stock,
    create_shipment,
    notify,
    redeem_promo,
    reserve_stock,
)

CHECKOUT: tuple[Step, ...] = (
    Step(
        name="redeem_promo",
        run_by=Runner.INTAKE,
        do=redeem_promo.do,
        undo=redeem_promo.undo,
    ),
    Step(
        name="reserve_stock",
        run_by=Runner.INTAKE,
        do=reserve_stock.do,
        undo=reserve_stock.undo,
    ),
    Step(
        name="authorize_payment",
        ask=authorize_payment.ask,
        do=authorize_payment.do,
        refuses_for=authorize_payment.REFUSES_FOR,
        undo_ask=authorize_payment.undo_ask,
        undo=authorize_payment.undo,
    ),
    Step(
        name="confirm_stock",
        do=confirm_stock.do,
        refuses_for=confirm_stock.REFUSES_FOR,
        undo=confirm_stock.undo,
    ),
    Step(
        name="capture_payment",
        ask=capture_payment.ask,
        do=capture_payment.do,
        refuses_for=capture_payment.REFUSES_FOR,
        undo_ask=capture_payment.undo_ask,
        undo=capture_payment.undo,
    ),
    Step(
        name="create_shipment",
        do=create_shipment.do,
        refuses_for=create_shipment.REFUSES_FOR,
        undo=create_shipment.undo,
    ),
    Step(
        name="notify",
        do=notify.do,
        undo=None,  # a mail cannot be taken back
    ),
)

BY_NAME = {step.name: step for step in CHECKOUT}
FIRST_STEP = next(step.name for step in CHECKOUT if step.run_by == Runner.WORKER)
LAST_UNDOABLE = [step.name for step in CHECKOUT if step.undo is not None][-1]
# The step that takes the money, and those after it.
MONEY_IS_TAKEN = frozenset(
    step.name for step in CHECKOUT[CHECKOUT.index(BY_NAME["capture_payment"]) :]
)
REFUSALS: dict[str, CancelReason] = {
    reason.code: reason for step in CHECKOUT for reason in step.refuses_for
}


def step_after(name: str) -> str | None:
    """The next step forward; None after the last."""
    names = [step.name for step in CHECKOUT]
    place = names.index(name) + 1
    return names[place] if place < len(names) else None


def undo_from(name: str) -> str:
    """Where undoing starts when the saga turns back at `name`: there, or the last undoable."""
    names = [step.name for step in CHECKOUT]
    place = min(names.index(name), names.index(LAST_UNDOABLE))
    return names[place]


def undo_after(name: str) -> str | None:
    """The next step to undo after `name`; None when everything is undone."""
    names = [step.name for step in CHECKOUT]
    place = names.index(name) - 1
    return names[place] if place >= 0 else None
