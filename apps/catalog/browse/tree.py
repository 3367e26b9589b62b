"""The category tree, from Redis or by one query."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.catalog import cache
from apps.catalog.models import Category


@dataclass(frozen=True)
class CategoryNode:
    """A category with its subcategories."""

    slug: str
    name: str
    description: str
    image: str
    children: tuple["CategoryNode", ...] = ()
    caption: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "CategoryNode":
        children = tuple(cls.from_json(child) for child in data["children"])
        return cls(**{**data, "children": children})


def category_tree() -> list[CategoryNode]:
    """All root categories, with their descendants; from Redis or by one query."""

    def fill() -> list[CategoryNode]:
        return _nest(list(Category.objects.order_by("path")))

    def decode(data: list[Any]) -> list[CategoryNode]:
        return [CategoryNode.from_json(node) for node in data]

    return cache.remembered("tree", "categories", fill=fill, decode=decode) or []


def _nest(rows: list[Category]) -> list[CategoryNode]:
    """The tree of rows that are in path order."""

    def below(parent: str, depth: int) -> tuple[CategoryNode, ...]:
        return tuple(
            CategoryNode(
                slug=row.slug,
                name=row.name,
                description=row.description,
                image=row.image,
                children=below(row.path, depth + 1),
                caption=row.caption,
            )
            for row in rows
            if row.depth == depth and row.path.startswith(parent)
        )

    return list(below("", 1))
