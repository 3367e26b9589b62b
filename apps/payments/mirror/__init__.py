"""The mirror: applied events, copied into dj-stripe's tables, off the critical path.

    mirrored = mirror.mirror_due(at_most=10)      a Celery task, every few seconds

    copying.py      a batch: claimed, read at the gateway, written in one transaction
    claiming.py     which events are due, under a lease
    touched.py      the payment that an event is about
    reading.py      the payments as the gateway shows them now, a hundred at a time
    tables.py       dj-stripe's tables of objects, written many rows at a time
    event_rows.py   its tables of events and of webhooks, and the receivers of its signals
    receivers.py    our receiver, in place of dj-stripe's own
    decisions.py    how far the mirror lags; what it cannot copy waits for staff

dj-stripe's tables are for reading and reports; the shop's own books never depend on them. How far
the mirror lags is a number in /metrics, nothing more. An event that cannot be mirrored in
MIRROR_ATTEMPTS_MAX tries waits for staff, who have it tried again or give it up.
"""

from apps.payments.mirror.copying import mirror_due
from apps.payments.mirror.decisions import KIND, backlog, failed, give_up, retry

__all__ = ["KIND", "backlog", "failed", "give_up", "mirror_due", "retry"]
