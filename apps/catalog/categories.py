"""Finds, makes and moves categories."""

from django.db import transaction

from apps.catalog import cache, limits
from apps.catalog.models import Category
from apps.catalog.text import ascii_slug, digest, one_line


def category_for(name: str, *, current: Category | None = None) -> Category:
    """The category of that name, anywhere in the tree; a new root category if there is none.

    `current`, if it has that name: several categories of a tree may.

    Names that differ only in case are one category. A category that staff renamed is still found
    by its slug, where the slug is the plain name: `Wall Sculpture`, `wall-sculpture`. Otherwise
    two names of one slug (`メンズ T` and `menzu T`) are two categories.
    """
    name = one_line(name)[: limits.CATEGORY_NAME]
    if current and current.name.casefold() == name.casefold():
        return current
    found = Category.objects.filter(name__iexact=name).order_by("path").first()
    if found:
        return found
    slug = ascii_slug(name, most=limits.CATEGORY_SLUG) or f"shelf-{digest(name)}"
    same_slug = Category.objects.filter(slug=slug).first()
    if same_slug and slug == name.casefold().replace(" ", "-"):
        return same_slug
    if same_slug:
        slug = f"{slug[: limits.CATEGORY_SLUG - 9].rstrip('-')}-{digest(name.casefold())}"
    return Category.objects.filter(slug=slug).first() or Category.objects.add_root(
        {"name": name, "slug": slug}
    )


def move_category(category: Category, target: Category, *, position: str) -> None:
    """Move a category (`position` as treebeard names them) and drop all cached pages.

    treebeard's moves send no signals, so the pages are dropped here.
    """
    with transaction.atomic():
        Category.objects.move(category, target, position)
        transaction.on_commit(cache.forget_everything, robust=True)
