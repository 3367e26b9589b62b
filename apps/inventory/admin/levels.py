"""How much of a stock item is for sale: sold out, low or plenty; or that it sells on."""

from typing import Any

from django.db.models import F, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.inventory.models import StockItem
from apps.inventory.policy import Policy

LOW = 5  # units for sale, at most, of a level that is called low


def level(item: StockItem) -> str:
    """`sold out`, `back-ordered`, `low` or `plenty`, by what is for sale; or `not counted`."""
    policy = item.variant.inventory_policy
    if policy == Policy.UNTRACKED:
        return "not counted"
    for_sale = item.on_hand - item.reserved
    if for_sale <= 0:
        return "sold out" if policy == Policy.DENY else "back-ordered"
    return "low" if for_sale <= LOW else "plenty"


class LevelFilter(DropdownFilter):
    """By what is for sale, holds taken off."""

    title = "level"
    parameter_name = "level"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("out", "Sold out"),
            ("back", "Back-ordered: sold on, none there"),
            ("uncounted", "Not counted"),
            ("low", f"Low: 1 to {LOW} for sale"),
            ("held", "With units held"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        gone = Q(on_hand__lte=F("reserved"))
        match self.value():
            case "out":
                return queryset.filter(gone, variant__inventory_policy=Policy.DENY)
            case "back":
                return queryset.filter(gone, variant__inventory_policy=Policy.CONTINUE)
            case "uncounted":
                return queryset.filter(variant__inventory_policy=Policy.UNTRACKED)
            case "low":
                return queryset.filter(~gone, on_hand__lte=F("reserved") + LOW).exclude(
                    variant__inventory_policy=Policy.UNTRACKED
                )
            case "held":
                return queryset.filter(reserved__gt=0)
        return queryset
