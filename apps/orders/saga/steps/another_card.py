"""After a card was declined: may the order wait for another one, and until when?

The order waits in PAYMENT_FAILED, at the step authorize_payment, with its units and promo codes.
`pay_again` (saga/pay_again.py) gives it a new attempt and moves it back to PENDING; at the deadline
the saga turns back. Final at once is a decline

- by which bank or gateway suspect the buyer (FINAL): who tries stolen cards gets no second try on
  goods that others would buy,
- of the last of PAYMENT_ATTEMPTS cards,
- for which no time is left: PAYMENT_RETRY_TIME is 0, or the hold has expired or reached its cap,
- of an order that is being cancelled.

Not a decline: an answer that got lost (the step asks again, under the same key), a request that the
gateway refuses as such (an unknown token, too small an amount), a bank's question that nobody
answered in time. Those end as they do without this.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from django.conf import settings

from apps.inventory import holds
from apps.notifications import outbox
from apps.orders import emails, payloads, transitions
from apps.orders.models import Order
from apps.orders.saga import hold_times
from apps.orders.saga.outcomes import CancelReason, Outcome, Refused, Wait
from apps.orders.saga.step import Claimed
from apps.orders.transitions import Transition
from apps.payments.models import Payment

S = Order.Status
P = Payment.Status

WAITS_FOR = "another card"  # Saga.waiting_for: what `pay_again` looks for
DECLINED = CancelReason(
    "declined",
    "The payment was declined, so we cancelled the order.",
    moves_to=S.PAYMENT_FAILED,
)
# https://docs.stripe.com/declines/codes
FINAL = frozenset({"fraudulent", "merchant_blacklist", "lost_card", "stolen_card", "pickup_card"})
PAID_AFTER_ALL = "The payment went through after all."


def decide(claimed: Claimed, payments: Mapping[UUID, Payment]) -> dict[UUID, Outcome]:
    """For each order whose live payment was declined: Wait for another card, or Refused.

    payments: the live ones by order id, locked. Moves the orders that begin to wait to
    PAYMENT_FAILED, holds their units until their deadline and mails the shoppers.
    """
    declined = {
        step.order_id: step
        for step in claimed
        if payments[step.order_id].status in (P.FAILED, P.VOIDED)
    }
    if not declined:
        return {}
    failed = Order.objects.filter(pk__in=declined, status=S.PAYMENT_FAILED)
    waited = set(failed.values_list("pk", flat=True))
    until = hold_times.time_to_pay_again(
        [
            pk
            for pk, step in declined.items()
            if _may_follow(payments[pk]) and not step.cancel_requested and not step.past_deadline
        ]
    )
    _begin_to_wait({pk: payments[pk] for pk in until}, until)
    outcomes: dict[UUID, Outcome] = {}
    for pk, step in declined.items():
        if pk in until or (pk in waited and not step.past_deadline):
            outcomes[pk] = Wait(WAITS_FOR, until.get(pk))
        else:
            outcomes[pk] = Refused(DECLINED, payments[pk].message)
    return outcomes


def paid_after_all(order_ids: Iterable[UUID]) -> None:
    """Orders whose declined attempt was paid late: those that wait for another card are PENDING."""
    transitions.make(Transition(pk, S.PENDING, PAID_AFTER_ALL) for pk in order_ids)


def _may_follow(payment: Payment) -> bool:
    """Whether another card may follow this declined one."""
    return (
        payment.status == P.FAILED
        and payment.decline_code not in FINAL
        and payment.attempt < settings.PAYMENT_ATTEMPTS
    )


def _begin_to_wait(payments: Mapping[UUID, Payment], until: Mapping[UUID, datetime]) -> None:
    if not until:
        return
    transitions.make(_declined(payments[pk], moment) for pk, moment in until.items())
    holds.set_expiry(until)
    outbox.put(emails.declined(until))


def _declined(payment: Payment, until: datetime) -> Transition:
    said = payment.message or transitions.MESSAGES[S.PAYMENT_FAILED]
    offer = f" You can pay with another card until {until:%H:%M} UTC."
    return Transition(
        payment.order_id,
        S.PAYMENT_FAILED,
        said[: 255 - len(offer)] + offer,
        next_action={
            "type": "pay_again",
            "url": payloads.payments_url(payment.order_id),
            "until": until.isoformat().replace("+00:00", "Z"),
        },
    )
