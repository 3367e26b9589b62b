"""Scheduled tasks of flash sales."""

from celery import shared_task

from apps.flash_sales import cache_warming


@shared_task(name="flash_sales.warm_pages")
def warm_pages() -> int:
    """Keep the product pages of open sales in the cache. Beat runs this every minute."""
    return cache_warming.warm_pages()
