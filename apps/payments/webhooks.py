"""Receives the gateway's webhooks at dj-stripe's address: verify, write into the inbox, 200.

Nothing is applied here. A 200 means that the event is on disk; a Celery task applies it, and the
sweep finds it when that task is lost. Unsigned, forged, stale or garbled requests get a 400 and
leave nothing but a row in the log of webhooks, within a cap (webhook_log.py).
"""

import json
import logging
import time
from contextlib import suppress
from typing import NamedTuple
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.core.client_addresses import client_address
from apps.payments import endpoint_secrets, inbox, webhook_log
from apps.payments.endpoint_secrets import EndpointSecrets
from apps.payments.signature import BadSignature, verify

logger = logging.getLogger(__name__)

MOST_BYTES = 512_000
REMEMBER_FOR = 5.0  # seconds
LOOK_AGAIN = 0.5  # seconds


class _Remembered(NamedTuple):
    endpoint: EndpointSecrets
    good_until: float  # time.monotonic


_remembered: dict[UUID, _Remembered] = {}


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
    body = request.body
    if not header:
        webhook_log.record_refused(request.META, to=uuid, body=body, why="unsigned")
        return HttpResponseBadRequest("unsigned")
    sender = webhook_log.known_ip(client_address(request.META))
    try:
        keep(uuid, body=body, signature=header, remote_ip=sender)
    except NoSuchEndpoint:
        return HttpResponseNotFound("no such endpoint")
    except NotAnEvent as refused:
        webhook_log.record_refused(request.META, to=uuid, body=body, why=str(refused))
        return HttpResponseBadRequest("not a signed event")
    return HttpResponse(status=200)


class NoSuchEndpoint(Exception):
    """No webhook endpoint has this UUID."""


class NotAnEvent(Exception):
    """Forged, stale or garbled; the inbox has nothing of it. Its text says what was wrong."""


def keep(uuid: UUID, *, body: bytes, signature: str, remote_ip: str | None = None) -> None:
    """Verify a webhook and write it into the inbox. Raises NoSuchEndpoint, NotAnEvent.

    `uuid` is that of the address, `signature` the Stripe-Signature header, `remote_ip` the sender's
    address for the log.
    """
    try:
        endpoint = _verified(uuid, body, signature)
        event = json.loads(body)
        event_id, event_type = event["id"], event["type"]
        if not (isinstance(event_id, str) and isinstance(event_type, str) and "\0" not in event_id):
            raise ValueError("not an event")
    except (BadSignature, ValueError, KeyError, TypeError, RecursionError) as error:
        logger.warning("webhook refused: %s", type(error).__name__)
        raise NotAnEvent(f"{type(error).__name__}: {error}") from error
    # Signed, but of the other mode: stored for staff to see, never applied.
    other_mode = (
        "" if event.get("livemode", False) == endpoint.livemode else "event of the other mode"
    )
    try:
        inbox.store(event, body=body, quarantine=other_mode, endpoint=uuid, remote_ip=remote_ip)
    except inbox.Garbled as error:
        raise NotAnEvent("Garbled") from error


def _verified(uuid: UUID, body: bytes, signature: str) -> EndpointSecrets:
    """The endpoint, one of whose secrets signs `body`. Raises NoSuchEndpoint, BadSignature."""
    endpoint = _endpoint(uuid)
    if endpoint is None:
        raise NoSuchEndpoint
    try:
        _verify(body, signature, endpoint)
    except BadSignature:
        newer = _looked_up_again(uuid)
        if newer is None or newer.secrets == endpoint.secrets:
            raise
        _verify(body, signature, newer)
        return newer
    return endpoint


def _verify(body: bytes, header: str, endpoint: EndpointSecrets) -> None:
    """Raise BadSignature unless one of the endpoint's secrets signs `body`."""
    *others, last = endpoint.secrets
    for secret in others:
        with suppress(BadSignature):
            return verify(body, header, secret=secret, tolerance=endpoint.tolerance)
    return verify(body, header, secret=last, tolerance=endpoint.tolerance)


def _endpoint(uuid: UUID) -> EndpointSecrets | None:
    """What the tables say of an endpoint, kept for REMEMBER_FOR: two webhooks an order ask for it.

    A secret that is no longer valid is refused after that time; a new one is found when it is used.
    """
    known = _remembered.get(uuid)
    if known is not None and time.monotonic() < known.good_until:
        return known.endpoint
    found = endpoint_secrets.of_endpoint(uuid)
    if found is not None:  # else a client that guesses addresses would fill the memory
        _remembered[uuid] = _Remembered(found, time.monotonic() + REMEMBER_FOR)
    return found


def _looked_up_again(uuid: UUID) -> EndpointSecrets | None:
    """What the tables say now, for a signature that does not match: the secret may be new.

    Not more often than every LOOK_AGAIN seconds: anybody can send a wrong signature.
    """
    known = _remembered.get(uuid)
    if known is None or time.monotonic() < known.good_until - REMEMBER_FOR + LOOK_AGAIN:
        return None
    _remembered.pop(uuid, None)
    return _endpoint(uuid)
