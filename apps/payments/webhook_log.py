"""dj-stripe's log of webhooks (WebhookEventTrigger): what arrived, and what became of it.

A verified webhook is written into the inbox only, because that is all its answer may wait for; the
mirror adds its row here in batches (mirror/event_rows.py). A refused one is written here at once,
by the view. Strangers can send as many of those as they like, so they are capped three times: by
address and in all for an hour, in length, and in number (`forget_old_refusals`).
"""

import ipaddress
import logging
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from djstripe.models import WebhookEndpoint, WebhookEventTrigger

from apps.core import sql
from apps.core.client_addresses import client_address
from apps.core.rate_limits import (
    Limit,
    LimitReached,
    count,
)
from apps.core.redaction import redact

logger = logging.getLogger(__name__)

REFUSED_OF_ADDRESS = Limit("refused-webhooks-address", 20, 3600)
REFUSED = Limit("refused-webhooks", 200, 3600)
REFUSED_KEPT = 1_000  # rows
BODY_KEPT = 4_000  # characters
HEADER_KEPT = 200  # characters
# dj-stripe's own word for "unknown"; the column is not null.
NO_ADDRESS = "0.0.0.0"  # noqa: S104  # nosec B104
HEADERS = ("Content-Type", "Content-Length", "User-Agent")
WITHHELD = "[withheld]"

# Its partial index answers the subquery; without it this reads the whole table.
FORGET = """
    DELETE FROM djstripe_webhookeventtrigger
    WHERE NOT valid AND id <= (
        SELECT id FROM djstripe_webhookeventtrigger
        WHERE NOT valid ORDER BY id DESC OFFSET %s LIMIT 1
    )
"""


def record_refused(meta: Mapping[str, Any], *, to: UUID, body: bytes, why: str) -> None:
    """Write down a webhook that was refused, unless too many were. Never raises.

    `meta` is the WSGI environ or `request.META`; `to` is the UUID in its address; `why` goes into
    `exception`. Nothing is kept of what is sent to an unknown endpoint.
    """
    address = client_address(meta)
    try:
        count(REFUSED_OF_ADDRESS, address)
        count(REFUSED, "all")
        with transaction.atomic():
            endpoint = WebhookEndpoint.objects.filter(djstripe_uuid=to).first()
            if endpoint is not None:
                WebhookEventTrigger.objects.create(
                    remote_ip=known_ip(address) or NO_ADDRESS,
                    headers=_headers(meta),
                    body=_text(body.decode("utf-8", "replace"), BODY_KEPT),
                    valid=False,
                    exception=_text(why, 128),
                    webhook_endpoint=endpoint,
                    stripe_trigger_account=endpoint.djstripe_owner_account,
                )
    except LimitReached:
        pass
    except DatabaseError as error:
        logger.warning("a refused webhook is not in the log: %s", type(error).__name__)


def forget_old_refusals() -> int:
    """Delete all but the newest REFUSED_KEPT refused webhooks; how many."""
    return sql.run(FORGET, [REFUSED_KEPT])


def known_ip(address: str) -> str | None:
    """`address` (of client_addresses.client_address) as a column of addresses takes it, or None.

    An IPv6 client is known by its network (`2001:db8::/64`); its first address stands for it.
    """
    try:
        return str(ipaddress.ip_address(address.partition("/")[0]))
    except ValueError:
        return None


def _headers(meta: Mapping[str, Any]) -> dict[str, str]:
    """Those that tell who sent it. Of a signature only the time: signatures are credentials."""
    kept = {
        name: _text(str(value), HEADER_KEPT)
        for name in HEADERS
        if (value := _header(meta, name)) is not None
    }
    signature = _header(meta, "Stripe-Signature")
    if signature is not None:
        stamps = [part for part in signature.split(",") if part.startswith("t=")]
        kept["Stripe-Signature"] = _text(",".join([*stamps[:1], WITHHELD]), HEADER_KEPT)
    return kept


def _header(meta: Mapping[str, Any], name: str) -> Any:
    key = name.upper().replace("-", "_")
    return meta.get(key if key.startswith("CONTENT_") else f"HTTP_{key}")


def _text(text: str, most: int) -> str:
    # Cut first: redacting takes time by length. PostgreSQL takes neither NUL nor lone surrogates.
    short = redact(text[: 2 * most]).replace("\0", "")[:most]
    return short.encode("utf-8", "replace").decode()
