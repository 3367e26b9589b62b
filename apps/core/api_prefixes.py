"""Paths that programs call, and the middleware that is skipped there because only pages need it."""

from collections.abc import Awaitable

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Media as well: whatever an uploaded file contains, opened by itself it must not run anything.
NO_PAGES = ("/api/v1/", "/api/schema/", "/stripe/", "/healthz", "/readyz", "/metrics", "/media/")


class PageMessagesMiddleware(MessageMiddleware):
    """Django's messages, on pages only: setting up their two stores costs each checkout as much as
    its rate limit, and a JSON response never shows one."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if request.path_info.startswith(NO_PAGES):
            return self.get_response(request)
        return super().__call__(request)
