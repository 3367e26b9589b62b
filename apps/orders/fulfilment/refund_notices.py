"""What a shopper is told when their money has gone back: an event of the order, and a mail.

Both are written in the transaction that records the refund as succeeded. That happens once for each
refund, whichever of worker, webhook and reconciler is first, so each is written once.

The refund of a cancelled order is told by the cancellation: its event and its mail name the money.
"""

from typing import Any

from django.dispatch import receiver

from apps.core import money
from apps.notifications import outbox
from apps.orders import refund_words, return_emails, transitions
from apps.orders.models import Order
from apps.payments.models import Refund
from apps.payments.signals import refund_succeeded


@receiver(refund_succeeded)
def tell(sender: Any, refund: Refund, **_: Any) -> None:
    """Tell the shopper of a refund that has succeeded."""
    if refund.purpose.startswith(refund_words.CANCELLATION):
        return
    order = Order.objects.filter(pk=refund.payment.order_id).first()
    if order is None:
        return  # a payment without an order: the audit names it
    amount = money.for_people(refund.amount, refund.payment.currency)
    transitions.note(order.pk, f"We have sent {amount} back to your card.", actor=refund.actor)
    outbox.put([return_emails.refund_sent(order, refund)])
