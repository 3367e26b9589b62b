"""Takes an erased person out of the texts of the ledger. Units and moments stay."""

from apps.core.append_only import texts_may_lose_a_person
from apps.core.erased_person import ErasedPerson, clean_rows
from apps.inventory.models import StockMovement


def erase(person: ErasedPerson) -> None:
    """In the caller's transaction; only movements of the person's orders."""
    with texts_may_lose_a_person():
        movements = StockMovement.objects.filter(order_id__in=person.order_ids)
        clean_rows(person, movements, "reason", "actor")
