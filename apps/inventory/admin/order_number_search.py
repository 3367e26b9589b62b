"""Search by order number in lists of holds and movements."""

from django.db.models import QuerySet
from django.http import HttpRequest

from apps.backoffice.order_links import LinksToOrder, ids_by_number


class OrderNumberSearch(LinksToOrder):
    """For an admin over rows with an `order_id`: its search also finds them by order number."""

    search_help_text = "SKU or order number"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        found, distinct = super().get_search_results(  # type: ignore[misc]
            request, queryset, search_term
        )
        term = search_term.strip()
        if term:
            found = found | queryset.filter(order_id__in=list(ids_by_number(term)))
        return found, distinct
