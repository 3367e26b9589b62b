"""From handles to slugs. Handles that differ only in case are one product, as in Shopify."""

from collections.abc import Collection, Iterable

from apps.catalog import limits
from apps.catalog.shopify_csv.rows import Row
from apps.catalog.text import SLUG, ascii_slug, digest


def rows_by_handle(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each product, under the handle of its first row; those without one under ""."""
    groups: dict[str, list[Row]] = {}
    first: dict[str, Row] = {}
    for row in rows:
        handle = row["Handle"]
        head = first.setdefault(handle.casefold(), row)
        if handle != head["Handle"]:
            row.note("Handle", f"one product with {head['Handle']!r} (line {head.line})")
        groups.setdefault(head["Handle"], []).append(row)
    return groups


def slugs_of(handles: Collection[str]) -> dict[str, tuple[str, str]]:
    """The slug of each handle, and the one that it gets where another product has that.

    A handle that is a slug already keeps it (in lower case) and has no other. One of other
    characters is transliterated and, where that is another handle's slug, gets a digest.
    """
    found: dict[str, tuple[str, str]] = {}
    plain = {handle.lower() for handle in handles if SLUG.fullmatch(handle)}
    taken: set[str] = set(plain)
    for handle in filter(None, handles):
        if SLUG.fullmatch(handle) and len(handle) <= limits.SLUG:
            found[handle] = handle.lower(), ""
        else:
            slug, other = _derived(handle)
            found[handle] = (other if slug in taken else slug), other
            taken.add(found[handle][0])
    return found


def _derived(handle: str) -> tuple[str, str]:
    # The digest is of the folded handle: `Tassé` and `tassé` are one product, whichever is first.
    mark = digest(handle.casefold())
    slug = ascii_slug(handle, most=limits.SLUG) or "product"
    other = f"{slug[: limits.SLUG - len(mark) - 1].rstrip('-_')}-{mark}"
    is_cut = len(handle) > limits.SLUG
    return (other if is_cut or slug == "product" else slug), other
