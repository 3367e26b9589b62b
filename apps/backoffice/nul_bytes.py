"""Lists whose URL contains a NUL byte."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect


class NulByteGuard:
    """For an admin whose filters compare text: a URL with a NUL byte shows the list unfiltered.

    PostgreSQL stores no NUL byte in text and raises an error for one, and Django's filters pass it
    on. No browser sends such a URL by mistake.
    """

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if any("\x00" in value for _, values in request.GET.lists() for value in values):
            return HttpResponseRedirect(request.path)
        return super().changelist_view(request, extra_context)  # type: ignore[misc]
