"""Takes the place of dj-stripe's own receivers for payments, charges and refunds.

Theirs read one object from the gateway and write it with some twenty statements; they copy neither
the charge of a payment nor a refund that an event of its own tells of. Ours copies a payment with
all that belongs to it, and does nothing when the mirror has done so for a whole batch before.

`@djstripe_receiver("payment_intent.succeeded")` works as dj-stripe documents it, and so does
`Event.process`, for which this is here.
"""

from typing import Any

from django.utils import timezone
from djstripe import event_handlers
from djstripe.models import Event
from djstripe.signals import WEBHOOK_SIGNALS

from apps.payments.mirror import reading, tables
from apps.payments.mirror.touched import touched_by
from apps.payments.stripe_account import owner_account
from apps.payments.stripe_gateway import stripe_gateway_from_settings

THEIRS = (event_handlers.handle_charge_event, event_handlers.handle_other_event)
TYPES = tuple(
    name
    for name in WEBHOOK_SIGNALS
    if name.startswith(("payment_intent.", "charge.", "refund."))
    and not name.startswith("charge.dispute.")
)
"""Types of events whose objects the mirror copies."""


def take_over() -> None:
    """Connect our receiver to dj-stripe's signals in place of theirs. Once, when Django starts."""
    for name in TYPES:
        signal = WEBHOOK_SIGNALS[name]
        for theirs in THEIRS:
            signal.disconnect(theirs, sender=Event)
        signal.connect(copy_object, sender=Event, dispatch_uid="payments.mirror")


def copy_object(sender: type[Event], event: Event, **_: Any) -> None:
    """Copy what the event is about, unless the mirror has. Raises the failures of the gateway."""
    if getattr(event, "is_copied", False):
        return
    shown = event.data["object"]
    touched = touched_by(
        event.type,
        kind=shown.get("object"),
        object_id=shown.get("id"),
        intent_id=shown.get("payment_intent"),
        created=shown.get("created"),
    )
    if touched is None:
        if event.category == "charge":  # of another system that charges without a PaymentIntent
            event_handlers.handle_charge_event(sender, event=event)
        return
    read_at = timezone.now()
    account = owner_account()
    found = reading.read([touched], read=stripe_gateway_from_settings().that_can_wait().read)
    tables.write(found, account=account, read_at=read_at)
