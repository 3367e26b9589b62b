"""What the mail tells `/metrics`."""

from apps.core.metrics import (
    Reading,
    count_rows,
    register,
    seconds_late,
)
from apps.notifications.models import Notification

_DUE = "state = 'due'"

register(
    Reading(
        name="mail_waiting",
        about="Notifications due and not sent",
        sql=count_rows(Notification, _DUE),
    ),
    Reading(
        name="mail_late_seconds",
        about="How long the longest waiting notification is due",
        sql=seconds_late(Notification, _DUE),
    ),
)
