"""The Celery app. Tasks are bells: each says "there is work", the work is found in PostgreSQL."""

import os

from celery import Celery
from celery.signals import worker_process_init

from storefront import broker, heap

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

broker.mend()
app = Celery("storefront")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_process_init.connect
def keep_what_is_loaded(**_: object) -> None:
    heap.keep_what_is_loaded()
