"""In front of Django: a webhook that is in order is written down and answered at once.

Two webhooks an order come in while the shop is at its busiest, each worth one INSERT; Django's way
to the view costs as much again. Whatever is not in order (another host, unsigned, forged, too
large, the database away) goes on to the view, which says what is wrong with it.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from apps.payments import webhooks
from storefront import in_front
from storefront.connections import drop_dead_connections
from storefront.in_front import Application, Environ, StartResponse

OF_THE_VIEW = (("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "0"))
ADDRESS = re.compile(r"/stripe/webhook/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")


class QuickDoor:
    """A WSGI application around the shop's."""

    def __init__(self, shop: Application) -> None:
        self._shop = shop

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        to = ADDRESS.fullmatch(environ["PATH_INFO"])
        if to is not None and environ["REQUEST_METHOD"] == "POST":
            origin = in_front.origin(environ)
            if origin is not None and _keep(environ, UUID(to[1])):
                start_response("200 OK", [*OF_THE_VIEW, *in_front.policies(_secure(origin))])
                return [b""]
        return self._shop(environ, start_response)


def _secure(origin: str) -> bool:
    return origin.startswith("https:")


def _keep(environ: Environ, uuid: UUID) -> bool:
    signature = environ.get("HTTP_STRIPE_SIGNATURE")
    body = in_front.short_body(environ, webhooks.MOST_BYTES) if signature else None
    if not signature or body is None:
        return False
    drop_dead_connections()
    try:
        webhooks.keep(uuid, body=body, signature=signature)
    except (webhooks.NoSuchEndpoint, webhooks.NotAnEvent, DatabaseError, InterfaceError):
        return False
    return True
