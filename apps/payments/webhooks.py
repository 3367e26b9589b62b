"""The door for the gateway's webhooks, at dj-stripe's address: verify, write down, say 200.

Nothing is applied here. An answer of 200 means that the event is on disk; whoever reads it later is
found by a bell or by the sweeper. Unsigned, forged, stale or garbled requests get a 400 and leave
nothing behind.
"""

import json
import logging
import time
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from djstripe.models import WebhookEndpoint

from apps.payments import inbox
from apps.payments.signature import BadSignature, verify

logger = logging.getLogger(__name__)

MOST_BYTES = 512_000
REMEMBER_FOR = 5.0  # seconds
_remembered: dict[UUID, tuple[float, tuple[str, int, bool]]] = {}


@csrf_exempt
@require_POST
def receive_webhook(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """200: stored (or known); 400: not a signed event; 404: no such endpoint; 413: too large."""
    length = request.headers.get("Content-Length") or "0"
    if not length.isascii() or not length.isdigit():
        return HttpResponseBadRequest("no length")
    if len(length) > 9 or int(length) > MOST_BYTES:
        return HttpResponse(status=413)
    header = request.headers.get("Stripe-Signature")
    if not header:
        return HttpResponseBadRequest("unsigned")
    try:
        keep(uuid, body=request.body, signature=header)
    except NoSuchEndpoint:
        return HttpResponseNotFound("no such endpoint")
    except NotAnEvent:
        return HttpResponseBadRequest("not a signed event")
    return HttpResponse(status=200)


class NoSuchEndpoint(Exception):
    """Nobody is told about anything at this address."""


class NotAnEvent(Exception):
    """Forged, stale or garbled; nothing of it was kept."""


def keep(uuid: UUID, *, body: bytes, signature: str) -> None:
    """Verify a webhook and write it down. Raises NoSuchEndpoint, NotAnEvent."""
    endpoint = _endpoint(uuid)
    if endpoint is None:
        raise NoSuchEndpoint
    secret, tolerance, livemode = endpoint
    try:
        verify(body, signature, secret=secret, tolerance=tolerance)
        event = json.loads(body)
        event_id, event_type = event["id"], event["type"]
        if not (isinstance(event_id, str) and isinstance(event_type, str) and "\0" not in event_id):
            raise ValueError("not an event")
    except (BadSignature, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("webhook refused: %s", type(error).__name__)
        raise NotAnEvent from error
    # Signed, but of the other mode: kept for a person, applied by nobody.
    other_mode = "" if event.get("livemode", False) == livemode else "event of the other mode"
    try:
        inbox.store(event, body=body, quarantine=other_mode)
    except inbox.Garbled as error:
        raise NotAnEvent from error


def _endpoint(uuid: UUID) -> tuple[str, int, bool] | None:
    """(secret, tolerance in seconds, live mode) of dj-stripe's row, remembered for a moment.

    Two webhooks an order ask for the same row; who exchanges a secret waits that moment.
    """
    known = _remembered.get(uuid)
    if known is not None and time.monotonic() < known[0]:
        return known[1]
    found = _look_up(uuid)
    if found is not None:  # whoever guesses addresses must not fill our memory
        _remembered[uuid] = (time.monotonic() + REMEMBER_FOR, found)
    return found


def _look_up(uuid: UUID) -> tuple[str, int, bool] | None:
    row = (
        WebhookEndpoint.objects.filter(djstripe_uuid=uuid)
        .values_list("secret", "djstripe_tolerance", "livemode")
        .first()
    )
    return (row[0], row[1], bool(row[2])) if row and row[0] else None
