"""How much of a stock item is for sale: sold out, low or plenty."""

from typing import Any

from django.db.models import F, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.inventory.models import StockItem

LOW = 5  # units for sale, at most, of a level that is called low


def level(item: StockItem) -> str:
    """`sold out`, `low` or `plenty`, by what is for sale."""
    for_sale = item.on_hand - item.reserved
    return "sold out" if for_sale <= 0 else "low" if for_sale <= LOW else "plenty"


class LevelFilter(DropdownFilter):
    """By what is for sale, holds taken off."""

    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("out", "Sold out"),
            ("low", f"Low: 1 to {LOW} for sale"),
            ("held", "With units held"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "out":
                return queryset.filter(on_hand__lte=F("reserved"))
            case "low":
                return queryset.filter(on_hand__gt=F("reserved"), on_hand__lte=F("reserved") + LOW)
            case "held":
                return queryset.filter(reserved__gt=0)
        return queryset
