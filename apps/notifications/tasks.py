"""The task that sends mail. Which mail is due is in PostgreSQL, not in the task's message."""

from celery import shared_task

from apps.notifications import delivery


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver() -> None:
    """Send what is due. Beat enqueues this every few seconds, so a lost one does no harm."""
    delivery.deliver_due()
