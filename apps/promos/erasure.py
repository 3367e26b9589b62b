"""Takes an erased person out of the redemptions. They still count against every limit."""

from apps.core.erased_person import ErasedPerson
from apps.promos.models import Redemption


def erase(person: ErasedPerson) -> None:
    """Put each mailbox's placeholder in its place, in the caller's transaction.

    One placeholder for each mailbox: two mailboxes under one name could each have the customer's
    first use of a code, which the table refuses.
    """
    mine = Redemption.objects.filter(order_id__in=person.order_ids)
    for mailbox, address in person.addresses.items():
        mine.filter(customer_key=mailbox).update(customer_key=address)
