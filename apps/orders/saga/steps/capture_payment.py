"""The reserved money is taken, and the order is confirmed. Undone by a void or a refund."""

from uuid import UUID

from apps.orders import transitions
from apps.orders.models import Order
from apps.orders.saga.outcomes import CancelReason, Done, Outcome, Refused
from apps.orders.saga.step import Claimed, Outcomes, ids, retry_after
from apps.orders.saga.steps import authorize_payment, unfit_payment
from apps.orders.transitions import Transition
from apps.payments import charging
from apps.payments.charging import GatewayRequest, GatewayResult
from apps.payments.models import Payment

P = Payment.Status

CAPTURE_REFUSED = CancelReason(
    "capture_refused", "Your bank let the payment lapse, so we cancelled the order."
)
REFUSES_FOR = (CAPTURE_REFUSED,)


def ask(claimed: Claimed) -> list[GatewayRequest]:
    """Take the authorized money."""
    return charging.captures(ids(claimed))


def do(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Write down the capture. The stock is confirmed before, so the order is CONFIRMED."""
    payments = charging.record(results, order_ids=ids(claimed))
    by_payment = {result.payment_id: result for result in results}
    outcomes: dict[UUID, Outcome] = {}
    for step in claimed:
        payment = payments[step.order_id]
        result = by_payment.get(payment.pk)
        if payment.status == P.CAPTURED:
            outcomes[step.order_id] = Done(payment.intent_id or "nothing to pay")
        elif payment.status == P.PARTLY_CAPTURED:
            outcomes[step.order_id] = unfit_payment.partly_captured(payment)
        elif (unfit := unfit_payment.contradicted(result)) is not None:
            outcomes[step.order_id] = unfit
        elif payment.status != P.AUTHORIZED or (result is not None and result.refused):
            outcomes[step.order_id] = Refused(CAPTURE_REFUSED, "The payment has lapsed.")
        else:
            outcomes[step.order_id] = retry_after(result, "not captured yet")
    transitions.make(
        Transition(order_id, Order.Status.CONFIRMED)
        for order_id, outcome in outcomes.items()
        if isinstance(outcome, Done)
    )
    return outcomes


# Whether the money is taken or still reserved, the same requests bring it to nothing. After a
# capture whose answer was lost, only the gateway knows which of the two it is.
undo_ask = authorize_payment.undo_ask
undo = authorize_payment.undo
