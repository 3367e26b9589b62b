"""Forms are cleaned of invisible characters at the door, every form of every page.

A form class that forgot to would be the one through which a second "alice" registers. So the
middleware cleans what a form sends before any view reads it: the shop's pages, the back office and
the pages of libraries in it. JSON bodies are cleaned by the fields of the API's contract, files by
the importer.

Passwords are never touched: they are what was typed.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict

from apps.core import clean_text

_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_AS_TYPED = "password"  # in the name of a field


class CleanFormsMiddleware:
    """Cleans `request.POST` and `request.GET`, after the CSRF check and before the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        # What is exempt from the CSRF check is no form: the API and webhooks read their own bodies.
        if getattr(view, "csrf_exempt", False):
            return
        if request.method == "POST" and request.content_type in _FORMS:
            request.POST = cleaned(request.POST)  # type: ignore[assignment]
        if "%" in request.META.get("QUERY_STRING", ""):  # what is searched for
            request.GET = cleaned(request.GET)  # type: ignore[assignment]


def cleaned(sent: QueryDict) -> QueryDict:
    """The same fields with clean values, in their order; `sent` itself where nothing changes."""
    found = [
        (name, value, value if _AS_TYPED in name else clean_text.clean(value))
        for name, values in sent.lists()
        for value in values
    ]
    if all(before == after for _, before, after in found):
        return sent
    made = QueryDict(mutable=True, encoding=sent.encoding)
    for name, _, value in found:
        made.appendlist(name, value)
    made._mutable = False  # as Django's own parser leaves it
    return made


class EmailField(forms.EmailField):
    """Django's, of an address as it is kept: see `clean_text.email`."""

    def to_python(self, value: Any) -> Any:
        found = super().to_python(value)
        return clean_text.email(found) if isinstance(found, str) else found
