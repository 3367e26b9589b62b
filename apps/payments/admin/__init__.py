"""The pages of the payments' models in the back office, all of them read-only.

Nothing here is edited by hand; a refund is requested on the order's page. What stopped (a refund,
an event, the copy of an event) and what does not fit between the gateway's books and ours waits for
a decision of staff with a reason: on its page here, or in the list of review cases
(apps/backoffice).
"""

from apps.payments.admin import (  # noqa: F401  each registers its pages; Django loads this package
    discrepancy,
    discrepancy_cases,
    payment,
    reconciliation,
    refund,
    refund_cases,
    stripe_objects,
    stripe_trigger_log,
    webhook_cases,
    webhook_inbox,
)
