"""Filters of the product list."""

from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from apps.catalog.admin.fields import indented_name
from apps.catalog.models import Category, Variant


class CategoryFilter(DropdownFilter):
    """By category, its subcategories included."""

    title = "category"
    parameter_name = "shelf"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(category.slug, indented_name(category)) for category in Category.objects.all()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.value():
            return queryset
        category = Category.objects.filter(slug=self.value()).first()
        if category is None:
            return queryset.none()
        return queryset.filter(category__path__startswith=category.path)


class AvailabilityFilter(DropdownFilter):
    """By whether anything can be bought now, units on hold not counted."""

    title = "availability"
    parameter_name = "availability"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in", "Something for sale"), ("out", "Sold out")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        # What sells on can be bought whatever is there.
        for_sale = Exists(
            Variant.objects.filter(
                Q(stock__on_hand__gt=F("stock__reserved")) | Q(stock__sells_on=True),
                product=OuterRef("pk"),
                active=True,
            )
        )
        match self.value():
            case "in":
                return queryset.filter(for_sale)
            case "out":
                return queryset.exclude(for_sale)
        return queryset
