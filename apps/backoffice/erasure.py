"""Takes an erased person out of the logs of the back office: Django's, and that of decisions."""

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q

from apps.backoffice.models import Decision
from apps.core.append_only import texts_may_lose_a_person
from apps.core.erased_person import GONE, ErasedPerson, clean_rows


def erase(person: ErasedPerson, *, account: Model | None) -> None:
    """Who did what and when stays; in the caller's transaction.

    What was changed in the account itself names what stood there, so these texts go whole. In what
    is said about the orders all of the person's words go; elsewhere only those that are nobody
    else's, or a namesake's history would lose its name.
    """
    entries = LogEntry.objects.all()
    if account is not None:
        kind = ContentType.objects.get_for_model(account)
        of_account = entries.filter(content_type=kind, object_id=str(account.pk))
        of_account.update(object_repr=GONE, change_message="")
    words = person.unmistakable
    about = entries.filter(
        Q(object_id__in=[str(order_id) for order_id in person.order_ids])
        | person.named_in("object_repr", "change_message", words=words)
    )
    clean_rows(person, about, "object_repr", "change_message")
    decisions = Decision.objects.filter(
        Q(order_id__in=person.order_ids)
        | person.named_in("subject", "reason", "actor", words=words)
    )
    with texts_may_lose_a_person():
        clean_rows(person, decisions, "subject", "reason", "actor")
