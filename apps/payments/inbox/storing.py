"""A verified event becomes a row of the inbox, once.

The view answers 200 after this one statement, and the gateway sends an event again until it gets
that. The primary key is the gateway's event id, so that an event that comes again is no second row.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import DataError

from apps.core import dispatch, failpoints, sql
from apps.payments.models import WebhookInbox

State = WebhookInbox.State
failpoints.declare("inbox.store", "before_commit", "after_commit")

STORE = """
    INSERT INTO payments_webhookinbox
        (event_id, type, payload, state, error, endpoint, remote_ip,
         attempts, mirror_attempts, resolution, resolved_by)
    VALUES (%s, %s, %s::jsonb, %s, %s, %s, %s, 0, 0, '', '')
    ON CONFLICT (event_id) DO NOTHING
"""


class Garbled(Exception):
    """The event is signed, but cannot be stored."""


def store(
    event: Mapping[str, Any],
    *,
    body: bytes,
    quarantine: str = "",
    endpoint: UUID | None = None,
    remote_ip: str | None = None,
) -> bool:
    """Store a verified event and enqueue the worker; False when it is known. Raises Garbled.

    `event` is the parsed `body`. With `quarantine`, which says why, it is stored for staff and not
    applied. `endpoint` is the UUID in the address that it came to, `remote_ip` the sender's
    address; both are for the trigger log only.
    """
    state = State.QUARANTINED if quarantine else State.RECEIVED
    failpoints.reach("inbox", "store", "before_commit")
    try:
        new = sql.run(
            STORE,
            [
                event["id"][:120],
                event["type"][:80],
                body.decode(),
                state.value,
                quarantine,
                endpoint,
                remote_ip,
            ],
        )
    except (DataError, UnicodeError) as error:  # also a lone surrogate in the id
        raise Garbled(str(error)) from error
    failpoints.reach("inbox", "store", "after_commit")
    if new and not quarantine:
        dispatch.enqueue_on_commit("payments.apply_webhooks")
    return bool(new)
