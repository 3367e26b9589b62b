"""The metrics of the payments: webhooks, the reconciler, the gateway's circuit breaker."""

from collections.abc import Sequence
from typing import Any

from apps.core.metrics import (
    Reading,
    RedisReading,
    count_rows,
    register,
    seconds_late,
)
from apps.payments.circuit_state import CLOSED, HALF_OPEN, OPEN, OPENED_KEY, STATE_KEY
from apps.payments.models import Discrepancy, Reconciliation, WebhookInbox
from apps.payments.request_budget import TURNED_AWAY_KEY

_RECEIVED = "state = 'received'"
_UNMIRRORED = "mirrored_at IS NULL AND mirror_attempts < 8 AND state IN ('applied', 'ignored')"


def _seconds_since_reconciled(scope: str) -> str:
    """SQL: since the last complete comparison, or since the first one began that has not ended."""
    return (
        "SELECT extract(epoch FROM now() - coalesce(finished_at, started_at))"  # noqa: S608
        f" FROM {Reconciliation._meta.db_table} WHERE scope = '{scope}'"
    )


def _circuit(replies: Sequence[Any]) -> dict[str, float]:
    """1 for the state that the workers share, 0 for the others. Not written yet means closed."""
    [known] = replies
    now = known.decode() if isinstance(known, bytes) else CLOSED
    return {state.replace("-", "_"): float(state == now) for state in (CLOSED, OPEN, HALF_OPEN)}


register(
    Reading(
        name="webhooks_waiting",
        about="Webhooks received, not applied",
        sql=count_rows(WebhookInbox, _RECEIVED),
    ),
    Reading(
        name="webhooks_late_seconds",
        about="How long the longest waiting webhook is due",
        sql=seconds_late(WebhookInbox, _RECEIVED),
    ),
    Reading(
        name="webhooks_unmirrored",
        about="Webhooks that dj-stripe's tables do not show yet",
        sql=count_rows(WebhookInbox, _UNMIRRORED),
    ),
    Reading(
        name="webhooks_unmirrored_seconds",
        about="How long ago the oldest webhook came that dj-stripe's tables do not show yet",
        sql=seconds_late(WebhookInbox, _UNMIRRORED, moment="received_at"),
    ),
    Reading(
        name="discrepancies_open",
        about="What does not fit between the gateway's books and ours",
        sql=count_rows(Discrepancy, "state = 'open'"),
    ),
    Reading(
        name="reconciled_open_seconds_ago",
        about="Since our open payments were last compared with the gateway's",
        sql=_seconds_since_reconciled("open"),
    ),
    Reading(
        name="reconciled_recent_seconds_ago",
        about="Since the gateway's latest payments were last compared with ours",
        sql=_seconds_since_reconciled("recent"),
    ),
    Reading(
        name="reconciled_all_seconds_ago",
        about="Since all payments were last compared",
        sql=_seconds_since_reconciled("all"),
    ),
    Reading(
        name="reconciler_failures",
        about="Comparisons in a row that did not come to their end",
        sql=f"SELECT max(failures) FROM {Reconciliation._meta.db_table}",  # noqa: S608
    ),
    RedisReading(
        name="gateway_circuit",
        about="Whether calls to the card gateway go through, are kept back, or try it",
        label="state",
        commands=[("GET", STATE_KEY)],
        value=_circuit,
    ),
    RedisReading(
        name="gateway_circuit_opened",
        about="How often the circuit has opened",
        commands=[("GET", OPENED_KEY)],
        value=lambda replies: float(replies[0] or 0),
        rises_only=True,
    ),
    RedisReading(
        name="gateway_kept_back",
        about="Calls not sent, because the gateway takes no more requests a second",
        commands=[("GET", TURNED_AWAY_KEY)],
        value=lambda replies: float(replies[0] or 0),
        rises_only=True,
    ),
)
