"""What every page of the shop knows without being told: its name, its shelves, the cart's count."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.catalog import browse
from apps.shop.cards import placeholder
from apps.shop.mornings import hour_of

SHELVES_IN_HEAD = 8


@dataclass(frozen=True, slots=True)
class Shelf:
    """A root category as the head and the front page show it."""

    slug: str
    name: str
    hour: str
    image: str


def shop(request: HttpRequest) -> dict[str, Any]:
    """Lazily: the admin uses these processors too and asks for nothing of it."""
    session = getattr(request, "session", None)
    return {
        "shop_name": settings.SHOP_NAME,
        "shelves": shelves,
        "cart_count": session.get("count", 0) if session is not None else 0,
    }


def shelves() -> list[Shelf]:
    """The first shelves of the shop, those of the morning in its order."""
    roots = browse.category_tree()
    roots.sort(key=lambda node: not hour_of(node.slug))  # stable: the rest after them
    return [
        Shelf(node.slug, node.name, hour_of(node.slug), node.image or placeholder())
        for node in roots[:SHELVES_IN_HEAD]
    ]
