"""Every address of the shop, read from its URLconf, so that a new one is attacked too."""

import re
import uuid
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RegexPattern, RoutePattern

PARAMETER = re.compile(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>")
# Values for an address's parameters; nothing needs to exist under them.
FILLED = {
    "int": "7",
    "str": "x",
    "slug": "x",
    "path": "x",
    "uuid": str(uuid.UUID(int=7)),
}


# Addresses that rightly answer 503 when a server is slow or unavailable.
MACHINES = ("/healthz", "/readyz", "/metrics")


def patterns(resolver: URLResolver | None = None, before: str = "/") -> Iterator[str]:
    """Routes such as `/orders/<uuid:order_id>/cancel/`."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = before + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, route)
        elif isinstance(entry, URLPattern) and isinstance(entry.pattern, RoutePattern):
            yield route
        else:
            assert isinstance(entry.pattern, RegexPattern), "a kind of address that no test attacks"


def filled(route: str, **values: str) -> str:
    """The route as an address; `values` stand for every parameter of a kind."""
    return PARAMETER.sub(lambda match: (FILLED | values)[match["kind"] or "str"], route)


def of_pages() -> list[str]:
    """The routes that a shopper's browser requests."""
    return sorted(
        route
        for route in patterns()
        if not route.startswith(("/admin/", "/api/", "/media/", "/stripe/", *MACHINES))
    )


def of_admin() -> list[str]:
    return sorted(route for route in patterns() if route.startswith("/admin/"))


def of_api() -> list[str]:
    return sorted(route for route in patterns() if route.startswith("/api/v1/"))
