"""Bells of the sales."""

from celery import shared_task

from apps.sales import warming


@shared_task(name="sales.warm_pages")
def warm_pages() -> int:
    """Keep the pages of the open sales in the cache."""
    return warming.warm_pages()
