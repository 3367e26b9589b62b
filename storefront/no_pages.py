"""Addresses at which programs call, and what is left out there because only pages need it."""

from collections.abc import Awaitable

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# Pictures, too: whatever a file below /media/ turns out to be, opened by itself it does nothing.
NO_PAGES = ("/api/v1/", "/api/schema/", "/stripe/", "/healthz", "/readyz", "/metrics", "/media/")


class PageMessagesMiddleware(MessageMiddleware):
    """Django's words for the next page; setting up their two stores costs each checkout as much as
    its rate limit, and a JSON answer never shows one."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if request.path_info.startswith(NO_PAGES):
            return self.get_response(request)
        return super().__call__(request)
