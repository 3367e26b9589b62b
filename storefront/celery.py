"""The Celery app. A task only says that there may be work; the work is kept in PostgreSQL."""

import os

from celery import Celery
from celery.signals import worker_process_init

from apps.core import celery_redis_transport, gc_freeze, heartbeat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

celery_redis_transport.install()
app = Celery("storefront")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
heartbeat.install(app)


@worker_process_init.connect
def freeze_loaded_objects(**_: object) -> None:
    gc_freeze.freeze_loaded_objects()
