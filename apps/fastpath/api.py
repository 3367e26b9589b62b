"""The API for clients without a cookie, without Django's middlewares.

An app sends no cookie, so that sessions, CSRF checks, messages and forms have nothing to do for it;
going through them costs more than most calls do themselves. Here a call goes from the server to its
view: the same view, with the same limits and refusals. Whatever is not plain goes on to Django: a
cookie, an unknown address, one without its slash, HEAD and OPTIONS, a body without a length.

What the middlewares do for such a call, and where it is done here:

    host, https, content type     checked by the base (http.py), which adds the security headers
    NUL in the path, large body   go on to Django
    Cache-Control                 the same middleware
    the log of refusals           the same line of Django's
    Vary: Cookie                  where a view asks for the session (ApiRequest.user)
    errors outside of the view    the same middleware, else Django's page for errors
    connections to PostgreSQL     looked at before the call, as by Django's signals
"""

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.handlers.exception import response_for_exception
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections
from django.http import HttpResponse
from django.urls import Resolver404, ResolverMatch, URLResolver, set_script_prefix
from django.urls.resolvers import RegexPattern
from django.utils.cache import patch_vary_headers
from django.utils.log import log_response

from apps.api.nowhere import Nowhere, WithoutSlash
from apps.api.parsers import BODY_MAX
from apps.api.urls import v1
from apps.core.cache_control import CacheControlMiddleware
from apps.core.connections import drop_dead_connections
from apps.core.database_unavailable import DatabaseUnavailableMiddleware
from apps.fastpath.http import Answer, Environ, Shortcut

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
LONG = 1000  # characters of an address or a query; Django has limits of its own for those
_addresses = URLResolver(RegexPattern(r"^/api/v1/"), v1)


class ApiRequest(WSGIRequest):
    """Django's request, of a client without a session."""

    asked_for_session = False
    _signed_in: Any = None

    @property
    def user(self) -> Any:
        """Who is signed in by the session: nobody. The view has asked; the answer depends on it."""
        if self._signed_in is None:
            self.asked_for_session = True
            self._signed_in = AnonymousUser()
        return self._signed_in

    @user.setter
    def user(self, user: Any) -> None:
        self._signed_in = user  # whom a view found by a token


class ApiShortcut(Shortcut):
    """Answers the API's calls of clients that send no cookie."""

    prefix = "/api/v1/"

    def is_mine(self, environ: Environ) -> bool:
        path, length = environ["PATH_INFO"], environ.get("CONTENT_LENGTH") or "0"
        return (
            "HTTP_COOKIE" not in environ
            and environ["REQUEST_METHOD"] in METHODS
            and path.isascii()
            and "\x00" not in path
            and len(path) <= LONG
            and len(environ.get("QUERY_STRING", "")) <= LONG
            and length.isascii()
            and length.isdigit()
            and int(length[:18]) <= BODY_MAX
            and "HTTP_TRANSFER_ENCODING" not in environ
        )

    def answer(self, environ: Environ, origin: str) -> Answer | None:
        match = _resolved(environ["PATH_INFO"])
        if match is None:
            return None
        set_script_prefix("/")  # another request of this thread may have had one
        close_old_connections()
        drop_dead_connections()
        request = ApiRequest(environ)
        request.resolver_match = match
        response = _cache_control(request)
        if response.status_code >= 400:  # as Django does, for operators
            log_response(
                *("%s: %s", response.reason_phrase, request.path),
                response=response,
                request=request,
            )
        if request.asked_for_session:
            patch_vary_headers(response, ("Cookie",))
        cookies = [("Set-Cookie", each.output(header="")) for each in response.cookies.values()]
        headers = [each for each in response.items() if each[0] != "Content-Length"]
        return Answer(response.status_code, [*headers, *cookies], response.content)


def _resolved(path: str) -> ResolverMatch | None:
    """The call at this address; None where Django has to say that there is none."""
    try:
        match = _addresses.resolve(path)
    except Resolver404:
        return None
    return None if getattr(match.func, "cls", None) in (Nowhere, WithoutSlash) else match


def _called(request: ApiRequest) -> HttpResponse:
    """The view's answer, rendered. An error that the view does not answer itself becomes Django's
    answer to it: calling the view again might do twice what it has done."""
    match = request.resolver_match
    assert match is not None
    try:
        response = match.func(request, *match.args, **match.kwargs)
        if not getattr(response, "is_rendered", True):
            response.render()
    except Exception as error:
        response = _database_unavailable.process_exception(request, error)
        return response or response_for_exception(request, error)
    return response


_cache_control = CacheControlMiddleware(_called)  # type: ignore[arg-type]
_database_unavailable = DatabaseUnavailableMiddleware(_called)
