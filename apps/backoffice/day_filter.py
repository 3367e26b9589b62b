"""A list filter from one day to another, both days included.

Unfold's own range filter compares a time with midnight at the start of the last day, so that "to
today" leaves today out. It also ignores the time zone.
"""

from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str


class DaysFilter(RangeDateFilter):
    """Rows whose time lies within these days. A text that is not a date finds nothing."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        first, last = (self.used_parameters.get(f"{self.parameter_name}_{end}") for end in ENDS)
        for typed, lookup, days in ((first, "gte", 0), (last, "lt", 1)):
            if not typed:
                continue
            day = parse_date_str(str(typed))
            moment = midnight(day, plus=days) if day is not None else None
            if moment is None:
                return queryset.none()
            queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": moment})
        return queryset


ENDS = ("from", "to")


def midnight(day: date, *, plus: int) -> datetime | None:
    """The start of the day `plus` days later, in the shop's time zone; None after the year 9999."""
    try:
        return timezone.make_aware(datetime.combine(day + timedelta(days=plus), time.min))
    except OverflowError:
        return None
