"""The bell of the outbox: says that mail is due; what is due stands in PostgreSQL."""

from celery import shared_task

from apps.notifications import delivery


@shared_task(name="notifications.deliver", ignore_result=True)
def deliver() -> None:
    """Send what is due. Lost or doubled bells do no harm: beat rings every few seconds."""
    delivery.deliver_due()
