"""The list of review cases: a tab for each case type, the case that has waited longest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from apps.backoffice.review_cases import case_types, queries
from apps.backoffice.review_cases.case_types import CaseType
from apps.backoffice.review_cases.decide_view import GENERAL_NAMES
from apps.backoffice.review_cases.links import list_url, page_number
from apps.backoffice.review_cases.rows import rows_of

TEMPLATE = "admin/backoffice/review_cases.html"
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Tab:
    """One case type, or all, and how many of its cases wait."""

    title: str
    count: int
    url: str
    chosen: bool


def review_case_list(admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The list, of one case type (`?kind=`) or of all. Raises PermissionDenied."""
    visible = case_types.visible_to(request.user)
    if not visible:
        raise PermissionDenied
    chosen = [each for each in visible if each.name == request.GET.get("kind")]
    name = chosen[0].name if chosen else ""
    counted = queries.counts(visible)
    total = counted[name] if name else sum(counted.values())
    pages = max(1, -(-total // PER_PAGE))
    page = min(page_number(request.GET.get("p", "")), pages)
    start = (page - 1) * PER_PAGE
    rows = rows_of(queries.oldest(chosen or visible, start=start, count=PER_PAGE) if total else [])
    shown = {row.case_type.name for row in rows}
    context = {
        **admin.admin_site.each_context(request),
        "title": "Needs a person",
        "tabs": _tabs(visible, counted, name),
        "rows": rows,
        "total": total,
        "options": _buttons(request.user, [t for t in visible if t.name in shown], one_type=name),
        "ticked": "ticked" in request.GET,
        "tick_url": list_url(name, page) + ("&" if name or page > 1 else "?") + "ticked=1",
        "kind": name,
        "page": page,
        "pages": pages,
        "before": list_url(name, page - 1) if page > 1 else "",
        "after": list_url(name, page + 1) if page < pages else "",
    }
    return TemplateResponse(request, TEMPLATE, context)


def _tabs(visible: Sequence[CaseType], counted: Mapping[str, int], chosen: str) -> list[Tab]:
    return [
        Tab("All", sum(counted.values()), list_url(), not chosen),
        *(
            Tab(each.title, counted[each.name], list_url(each.name), each.name == chosen)
            for each in visible
        ),
    ]


def _buttons(user: Any, shown: Sequence[CaseType], *, one_type: str) -> list[tuple[str, str, bool]]:
    """(name, text, danger) of the buttons; the text is the case type's own if only one is shown."""
    found: dict[str, tuple[str, str, bool]] = {}
    for case_type in shown:
        for option in case_type.options:
            if not case_type.may_take(user, option):
                continue
            if option.name not in GENERAL_NAMES:
                continue  # for single cases only: the case's own page has its button
            text = option.button if one_type else GENERAL_NAMES[option.name]
            danger = option.danger or (option.name in found and found[option.name][2])
            found[option.name] = (option.name, text, danger)
    return [found[name] for name in GENERAL_NAMES if name in found]
