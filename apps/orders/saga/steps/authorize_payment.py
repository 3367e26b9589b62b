"""The bank reserves the money: yes, no, or 3-D Secure first. Undone by a void or a refund.

After a no the order waits for another card (another_card.py), and this step runs again.
"""

from uuid import UUID

from django.conf import settings

from apps.inventory import holds
from apps.orders import transitions
from apps.orders.models import Order
from apps.orders.saga import hold_times
from apps.orders.saga.outcomes import CancelReason, Done, Outcome, Refused, Retry, Wait
from apps.orders.saga.step import Claimed, ClaimedStep, Outcomes, ids, retry_after
from apps.orders.saga.steps import another_card, unfit_payment
from apps.orders.transitions import Transition
from apps.payments import charging
from apps.payments.charging import GatewayRequest, GatewayResult
from apps.payments.models import Payment
from apps.promos import redeem

S = Order.Status
P = Payment.Status

DECLINED = another_card.DECLINED
PAYMENT_REFUSED = CancelReason(
    "payment_refused",
    "The payment was refused, so we cancelled the order.",
    moves_to=S.PAYMENT_FAILED,
)
EXPIRED = CancelReason(
    "expired",
    "The payment was not completed in time, so we cancelled the order.",
    moves_to=S.PAYMENT_FAILED,
)
CARD_HELD_BACK = CancelReason(
    "card_held_back",
    "Other orders already wait for this card, so we cancelled this one.",
    moves_to=S.PAYMENT_FAILED,
)
PROMO_USED = CancelReason(
    "promo_used",
    "The code in this order has been used for another order of yours, so we cancelled this one.",
)
REFUSES_FOR = (DECLINED, PAYMENT_REFUSED, EXPIRED, CARD_HELD_BACK, PROMO_USED)


def ask(claimed: Claimed) -> list[GatewayRequest]:
    """A PaymentIntent with manual capture, under an idempotency key from our own row."""
    return charging.authorizations(ids(claimed))


def do(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Write down what the bank answered, and set how long the order may wait for the shopper."""
    payments = charging.record(results, order_ids=ids(claimed))
    by_payment = {result.payment_id: result for result in results}
    used_up = redeem.claim(
        pk for pk, p in payments.items() if p.status in (P.AUTHORIZED, P.CAPTURED)
    )
    asked = [pk for pk, payment in payments.items() if payment.status == P.REQUIRES_ACTION]
    until = hold_times.time_to_act(asked)
    held_back = hold_times.held_back_cards(payments, until)
    paid = [pk for pk, payment in payments.items() if payment.status in (P.AUTHORIZED, P.CAPTURED)]
    open_before = charging.unsettled(paid, live=False)
    # Not asked in this round: a webhook told it, perhaps of an order that waits for another card.
    another_card.paid_after_all(pk for pk in paid if payments[pk].pk not in by_payment)
    declined = another_card.decide(claimed, payments)
    outcomes: dict[UUID, Outcome] = {}
    moves: list[Transition] = []
    for step in claimed:
        payment = payments[step.order_id]
        match payment.status:
            case P.AUTHORIZED | P.CAPTURED if step.order_id in used_up:
                outcome: Outcome = Refused(PROMO_USED, "The code has been used before.")
            case P.AUTHORIZED | P.CAPTURED if step.order_id in open_before:
                outcome = _earlier_is_open(step, results)
            case P.AUTHORIZED | P.CAPTURED:
                outcome = Done(payment.intent_id or "nothing to pay")
                moves.append(Transition(step.order_id, S.PAYMENT_AUTHORIZED))
            case P.PARTLY_CAPTURED:
                outcome = unfit_payment.partly_captured(payment)
            case P.FAILED | P.VOIDED:
                outcome = declined[step.order_id]
            case P.REFUNDED:
                outcome = Refused(DECLINED, payment.message)
            case _ if (unfit := unfit_payment.contradicted(by_payment.get(payment.pk))) is not None:
                outcome = unfit
            case _ if step.past_deadline:
                outcome = Refused(EXPIRED, "The payment was not completed in time.")
            case P.REQUIRES_ACTION if step.order_id in held_back:
                outcome = Refused(
                    CARD_HELD_BACK, "Other orders wait for this card. Finish or cancel those."
                )
            case P.REQUIRES_ACTION:
                outcome = Wait("the shopper's bank", until.get(step.order_id))
                if step.order_id in until:
                    moves.append(hold_times.action_required(payment, until[step.order_id]))
            case _:
                outcome = _not_answered(by_payment.get(payment.pk))
        outcomes[step.order_id] = outcome
    transitions.make(moves)
    if until:
        holds.set_expiry(until)
    # A slow gateway must not cost the shopper their units; the cap is the saga's deadline.
    late = [order_id for order_id, outcome in outcomes.items() if isinstance(outcome, Retry)]
    holds.extend(late, hold_time=settings.HOLD_TIME, cap=settings.HOLD_TIME_CAP)
    return outcomes


def _earlier_is_open(step: ClaimedStep, results: list[GatewayResult]) -> Outcome:
    """This card is good, and one that was tried before it is not given back yet."""
    if step.past_deadline:
        return Refused(EXPIRED, "The payment was not completed in time.")
    return _first_trouble(step.order_id, results, otherwise="an earlier card is not given back")


def _first_trouble(order_id: UUID, results: list[GatewayResult], *, otherwise: str) -> Outcome:
    """What stands in the way of an order of which one attempt could not be given back."""
    ours = [result for result in results if result.order_id == order_id]
    unfit = next((found for r in ours if (found := unfit_payment.contradicted(r))), None)
    troubled = next((r for r in ours if r.transient or r.broken or r.refused), None)
    return unfit or retry_after(troubled, otherwise)


def _not_answered(result: GatewayResult | None) -> Outcome:
    """Of a payment that the gateway has neither authorized nor declined."""
    if result is not None and result.refused:
        return Refused(PAYMENT_REFUSED, "The payment was refused.")
    if result is not None and (result.transient or result.broken):
        return retry_after(result, "")
    return Wait("the gateway")


def undo_ask(claimed: Claimed) -> list[GatewayRequest]:
    """Void what is reserved, refund what is taken."""
    return charging.voids_and_refunds(ids(claimed), reason="order cancelled")


def undo(claimed: Claimed, results: list[GatewayResult]) -> Outcomes:
    """Done when none of the shopper's money is reserved or kept any more, of any attempt."""
    payments = charging.record(results, order_ids=ids(claimed))
    open_ones = charging.unsettled(payments)
    return {
        step.order_id: _first_trouble(step.order_id, results, otherwise="not called back yet")
        if step.order_id in open_ones
        else Done(str(payments[step.order_id].status))
        for step in claimed
    }
