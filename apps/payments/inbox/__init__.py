"""The webhook inbox: every event once, applied once in effect, in whatever order they come.

    new = inbox.store(event, body=…)      the view: one statement, then 200
    claimed = inbox.apply_due()           the worker: one round
    inbox.resolve(event_id, …)            staff, about an event that could not be applied

    storing.py     a verified event becomes a row; the primary key is the gateway's event id
    applying.py    a batch is claimed, its payments are settled, its rows are marked
    claiming.py    the lease of a row, from its claim to the mark that ends it
    verdicts.py    what an event comes to: applied, ignored or quarantined
    decisions.py   what waits for staff

An event that contradicts our books (another amount, another currency, a payment with another
intent) is quarantined: it has no effect, and staff decide.
"""

from apps.payments.inbox.applying import apply_due
from apps.payments.inbox.claiming import MAX_ATTEMPTS
from apps.payments.inbox.decisions import KIND, resolve, undecided
from apps.payments.inbox.storing import Garbled, store

__all__ = ["KIND", "MAX_ATTEMPTS", "Garbled", "apply_due", "resolve", "store", "undecided"]
