"""From which day to which day, both whole.

Unfold's own range filter compares a moment with the last day's midnight, so that "to today" leaves
today out; and it does so in no time zone.
"""

from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.utils import parse_date_str


class DaysFilter(RangeDateFilter):
    """Rows whose moment lies within the days; a day that is none finds nothing."""

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
    """The beginning of the day `plus` days later, in the shop's zone; None past the calendar."""
    try:
        return timezone.make_aware(datetime.combine(day + timedelta(days=plus), time.min))
    except OverflowError:
        return None
