"""Events of the inbox that are to be mirrored, claimed in batches under a lease."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.core import leases
from apps.core.leases import LeasedTable
from apps.payments.mirror.touched import Touched, touched_by
from apps.payments.models import MIRROR_ATTEMPTS_MAX

BATCH = 500
# Since an event is applied, its `due_at` is the mirror's: lease and back-off in one. Without it an
# outage of a moment would use up all attempts, and two mirrors would share event_rows.
EVENTS = LeasedTable(
    table="payments_webhookinbox",
    key="event_id",
    key_type="text",
    claimable="mirrored_at IS NULL AND state IN ('applied', 'ignored')",
    lease=timedelta(seconds=30),
    doubling=True,
    order_by="received_at",
    attempts="mirror_attempts",
    attempts_max=MIRROR_ATTEMPTS_MAX,
    returning=(
        "t.type",
        "now()",
        "t.payload#>>'{data,object,object}'",
        "t.payload#>>'{data,object,id}'",
        "t.payload#>>'{data,object,payment_intent}'",
        "t.payload#>>'{data,object,created}'",
    ),
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """An event to mirror. `touched` is None when it is not about a payment."""

    event_id: str
    type: str
    claimed_at: datetime
    touched: Touched | None


def batches(*, until: float) -> Iterator[list[Claimed]]:
    """Batches of claimed events, until nothing is due or the time (monotonic) has come."""
    found = True
    while found and time.monotonic() < until:
        found = False
        for limit, crashed in leases.one_round(BATCH):
            if claimed := _claim(limit, crashed=crashed):
                found = True
                yield claimed


def _claim(limit: int, *, crashed: bool) -> list[Claimed]:
    return [
        Claimed(
            event_id,
            event_type,
            now,
            touched_by(
                event_type,
                kind=kind,
                object_id=object_id,
                intent_id=intent_id,
                created=int(created) if created and created.isdigit() else None,
            ),
        )
        for event_id, _, _, event_type, now, kind, object_id, intent_id, created in EVENTS.claim(
            limit=limit, crashed=crashed
        )
    ]
