"""Tasks of the API: forgetting kept answers."""

from celery import shared_task

from apps.api import kept_answers


@shared_task(name="api.forget_answers", ignore_result=True)
def forget_answers() -> None:
    """Delete the answers of keys that are a day old. Beat runs this every hour."""
    kept_answers.delete_old()
