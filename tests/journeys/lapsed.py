"""The time in which a declined order can be paid again is over, without waiting for it."""

from tools.stack import Stack

LAPSE = """
from django.db.models.functions import Now
from apps.inventory.models import Hold
from apps.orders.models import Saga
waiting = Saga.objects.filter(waiting_for="another card", state="forward")
Hold.objects.filter(order_id__in=waiting.values("pk"), state="active").update(expires_at=Now())
waiting.update(deadline_at=Now(), due_at=Now())
"""


def lapse(stack: Stack) -> None:
    """For all orders that wait for another card."""
    done = stack.manage("shell", "-c", LAPSE)
    assert done.returncode == 0, done.stderr
