"""What every template gets: the shop's name and the categories of the navigation."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.catalog import browse
from apps.core.ttl_cache import TTLCache
from apps.web.product_cards import placeholder

CATEGORIES_SHOWN = 8


@dataclass(frozen=True, slots=True)
class NavigationCategory:
    """A root category as the navigation and the front page show it."""

    slug: str
    name: str
    caption: str
    image: str


def shop(request: HttpRequest) -> dict[str, Any]:
    """Values for all templates. The categories are a function, which the admin never calls."""
    return {"shop_name": settings.SHOP_NAME, "navigation_categories": shelves.get}


def navigation_categories() -> tuple[NavigationCategory, ...]:
    """The first root categories, in the order of the tree."""
    return tuple(
        NavigationCategory(node.slug, node.name, node.caption, node.image or placeholder())
        for node in browse.category_tree()[:CATEGORIES_SHOWN]
    )


# For the frame of every page; a page that is kept asks for those of now (page_cache.py).
shelves = TTLCache(navigation_categories, max_age=timedelta(seconds=1))
