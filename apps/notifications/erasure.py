"""Empties the mails to an erased person. What is not sent yet is not sent any more."""

from django.db.models import Q

from apps.core.erased_person import GONE, ErasedPerson, clean_rows
from apps.notifications.models import Notification

WHY = "the buyer was erased"


def erase(person: ErasedPerson) -> None:
    """Keep of each mail its kind, order, state and moments; in the caller's transaction."""
    mailboxes = tuple(person.addresses)
    emails = [word for word in person.variants if "@" in word]
    mine = Q(order_id__in=person.order_ids) | Q(mailbox__in=mailboxes)
    for email in emails:
        mine |= Q(to__iexact=email)
    rows = Notification.objects.filter(mine)
    waiting = Q(state=Notification.State.DUE) | Q(
        state=Notification.State.DEAD, resolved_at__isnull=True
    )
    rows.filter(waiting).update(state=Notification.State.SUPPRESSED, last_error=WHY)
    clean_rows(person, rows, "last_error", "resolution", "resolved_by")
    placeholder = next(iter(person.addresses.values()))
    rows.update(to=placeholder, mailbox="", subject=GONE, body="")
