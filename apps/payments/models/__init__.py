"""Our side of every payment; the gateway has the other, and the reconciler compares the two.

What stopped and waits for a decision of staff (a refund, an event, the copy of an event) is open
until its `…resolved_at` is set; who decided, and why, is in the decision log (apps/backoffice).
"""

from apps.payments.models.discrepancy import Discrepancy
from apps.payments.models.gateway_call import GatewayCall
from apps.payments.models.known_database import KnownDatabase
from apps.payments.models.payment import Payment
from apps.payments.models.reconciliation import Reconciliation, SeenIntent
from apps.payments.models.refund import REFUND_ATTEMPTS_MAX, Refund
from apps.payments.models.rolled_secret import RolledSecret
from apps.payments.models.webhook_inbox import MIRROR_ATTEMPTS_MAX, WebhookInbox

__all__ = [
    "MIRROR_ATTEMPTS_MAX",
    "REFUND_ATTEMPTS_MAX",
    "Discrepancy",
    "GatewayCall",
    "KnownDatabase",
    "Payment",
    "Reconciliation",
    "Refund",
    "RolledSecret",
    "SeenIntent",
    "WebhookInbox",
]
