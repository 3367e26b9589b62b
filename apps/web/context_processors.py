"""What every template gets: the shop's name, the categories of the navigation, the cart's count."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.catalog import browse
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
    session = getattr(request, "session", None)
    return {
        "shop_name": settings.SHOP_NAME,
        "navigation_categories": navigation_categories,
        "cart_count": session.get("count", 0) if session is not None else 0,
    }


def navigation_categories() -> list[NavigationCategory]:
    """The first root categories, in the order of the tree."""
    return [
        NavigationCategory(node.slug, node.name, node.caption, node.image or placeholder())
        for node in browse.category_tree()[:CATEGORIES_SHOWN]
    ]
