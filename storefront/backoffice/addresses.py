"""What may stand in a list's address."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect


class CleanAddress:
    """For an admin whose filters compare text: PostgreSQL has no NUL byte in a text, and Django's
    filters hand one on. Such an address is no mistake of a browser; it gets the list unfiltered.
    """

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if any("\x00" in value for _, values in request.GET.lists() for value in values):
            return HttpResponseRedirect(request.path)
        return super().changelist_view(request, extra_context)  # type: ignore[misc]
