"""The kernel of the shop: settings, addresses, processes, and what every app shares."""

from storefront.celery import app as celery_app

__all__ = ["celery_app"]
