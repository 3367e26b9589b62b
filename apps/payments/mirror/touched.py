"""Which payment an event is about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Touched:
    """A payment that an event is about."""

    intent_id: str
    created: int | None = None  # seconds since 1970; None where the event does not say it
    refunds: bool = False  # whether the event is about its refunds, too


def touched_by(
    event_type: str,
    *,
    kind: str | None,
    object_id: str | None,
    intent_id: str | None,
    created: int | None,
) -> Touched | None:
    """The payment that an event's object is, or belongs to; None when it is about something else.

    `kind`, `object_id`, `intent_id` and `created` are the object's `object`, `id`, `payment_intent`
    and `created`.
    """
    if kind == "payment_intent" and object_id:
        return Touched(object_id, created)
    if kind in ("charge", "refund") and intent_id:
        return Touched(intent_id, refunds=kind == "refund" or event_type == "charge.refunded")
    return None
