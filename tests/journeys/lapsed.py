"""The time in which a declined order can be paid again is over, without waiting for it."""

from tools.stack import Stack

LAPSE = """
from django.db.models.functions import Now
from apps.inventory.models import Hold
from apps.orders.models import Saga
from tests.waiting import until
waiting = Saga.objects.filter(waiting_for="another card", state="forward")
ids = list(waiting.values_list("pk", flat=True))
Hold.objects.filter(order_id__in=ids, state="active").update(expires_at=Now())
waiting.update(deadline_at=Now(), due_at=Now())
lapsed = Saga.objects.filter(pk__in=ids)
until(lambda: not lapsed.exclude(state="undone").exists(), "they are undone", every=0.1)
"""


def lapse(stack: Stack) -> None:
    """For all orders that wait for another card; returns when they are cancelled."""
    done = stack.manage("shell", "-c", LAPSE)
    assert done.returncode == 0, done.stderr
