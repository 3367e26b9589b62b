"""The Celery app. Tasks are bells: each says "there is work", the work is found in PostgreSQL."""

import os

from celery import Celery

from storefront import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "storefront.settings")

broker.mend()
app = Celery("storefront")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
