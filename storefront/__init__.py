"""The Django project: settings, URLs, and the entry points of its processes."""

from storefront.celery import app as celery_app

__all__ = ["celery_app"]
