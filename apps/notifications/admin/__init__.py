"""Mail in the back office: the outbox, and the dead letters as review cases.

Staff send a dead letter again or close it, with a reason; one by one, or many at once, as after an
outage of the mail server.
"""

from apps.notifications.admin import outbox_list, review_case

__all__ = ["outbox_list", "review_case"]
