"""Events in dj-stripe's tables, its log of webhooks, and the receivers of its signals.

Rows of Event and WebhookEventTrigger are made inside PostgreSQL from the inbox, which holds all
that they say. A payment's `client_secret` is left out.
"""

from collections.abc import Collection
from importlib.metadata import version

from djstripe.models import Event
from djstripe.signals import WEBHOOK_SIGNALS

from apps.core import sql
from apps.payments.models import MIRROR_ATTEMPTS_MAX
from apps.payments.webhook_log import NO_ADDRESS

RECORD = """
    INSERT INTO djstripe_event
        (id, type, livemode, created, api_version, data, stripe_data, request_id, idempotency_key,
         djstripe_owner_account_id, djstripe_created, djstripe_updated)
    SELECT w.event_id, w.type, (kept->>'livemode')::boolean,
           to_timestamp((kept->>'created')::bigint), coalesce(kept->>'api_version', ''),
           kept->'data', kept, coalesce(left(kept#>>'{request,id}', 50), ''),
           coalesce(kept#>>'{request,idempotency_key}', ''), %(account)s::text, now(), now()
    FROM payments_webhookinbox w,
         LATERAL (SELECT w.payload #- '{data,object,client_secret}' AS kept OFFSET 0) AS without
    WHERE w.event_id = ANY(%(ids)s)
    ORDER BY w.event_id
    ON CONFLICT (id) DO NOTHING
"""
_LOG = """
    INSERT INTO djstripe_webhookeventtrigger
        (remote_ip, headers, body, valid, processed, exception, traceback, event_id,
         djstripe_version, created, updated, stripe_trigger_account_id, webhook_endpoint_id)
    SELECT coalesce(w.remote_ip, %(nowhere)s::inet), '{}'::jsonb,
           (w.payload #- '{data,object,client_secret}')::text, true, w.mirror_error = '',
           left(w.mirror_error, 128), '', (SELECT id FROM djstripe_event WHERE id = w.event_id),
           %(version)s, w.received_at, now(), %(account)s::text,
           (SELECT id FROM djstripe_webhookendpoint WHERE djstripe_uuid = w.endpoint)
    FROM changed w
"""
_CHANGED = "event_id, payload, endpoint, remote_ip, received_at, mirror_error"
# The row of the log belongs to the change of the inbox: one for each event, however often it runs.
FINISH = f"""
    WITH changed AS (
        UPDATE payments_webhookinbox
        SET mirrored_at = now(), mirror_error = '', crashed_claims = 0
        WHERE event_id = ANY(%(ids)s) AND mirrored_at IS NULL
        RETURNING {_CHANGED}
    ) {_LOG}
"""  # noqa: S608  (constants above)
NOTE = """
    UPDATE payments_webhookinbox SET mirror_error = %s, crashed_claims = 0
    WHERE event_id = ANY(%s) AND mirrored_at IS NULL
"""
# Those whom the gateway's limit turned away are due again soon, and have not had their try.
KEPT_BACK = """
    UPDATE payments_webhookinbox
    SET mirror_attempts = greatest(mirror_attempts - 1, 0), crashed_claims = 0,
        due_at = now() + interval '5 seconds'
    WHERE event_id = ANY(%s) AND mirrored_at IS NULL
"""
LOG_FAILED = f"""
    WITH changed AS (
        SELECT {_CHANGED} FROM payments_webhookinbox
        WHERE event_id = ANY(%(ids)s) AND mirrored_at IS NULL AND mirror_attempts >= %(most)s
    ) {_LOG}
"""  # noqa: S608
DJSTRIPE_VERSION = version("dj-stripe")


def record(ids: Collection[str], *, account: str | None) -> int:
    """Add these events of the inbox to dj-stripe's; how many were not there yet."""
    return sql.run(RECORD, {"ids": list(ids), "account": account}) if ids else 0


def finish(ids: Collection[str], *, account: str | None) -> int:
    """These events are mirrored: say so in the inbox and in the log of webhooks; how many."""
    return sql.run(FINISH, _for_log(ids, account)) if ids else 0


def note_failure(ids: Collection[str], error: str, *, account: str | None = None) -> None:
    """Why these events are not mirrored (yet). Those out of tries get their row in the log."""
    sql.run(NOTE, [error[:255], list(ids)])
    sql.run(LOG_FAILED, _for_log(ids, account) | {"most": MIRROR_ATTEMPTS_MAX})


def give_back(ids: Collection[str]) -> None:
    """These claimed events were not tried: their claim counts as none."""
    sql.run(KEPT_BACK, [list(ids)])


def _for_log(ids: Collection[str], account: str | None) -> dict[str, object]:
    return {
        "ids": list(ids),
        "account": account,
        "nowhere": NO_ADDRESS,
        "version": DJSTRIPE_VERSION,
    }


def has_receivers(event_type: str) -> bool:
    """Whether such events have a receiver other than the mirror's own (receivers.py)."""
    signal = WEBHOOK_SIGNALS.get(event_type)
    return signal is not None and len(signal.receivers) > 1


def send(event_id: str) -> None:
    """Call the receivers of a recorded event, whose objects are copied. Raises what they raise."""
    event = Event.objects.get(id=event_id)
    event.is_copied = True
    event.invoke_webhook_handlers()
