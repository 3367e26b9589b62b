"""The orders in which lists can be sorted."""

from collections.abc import Mapping

SHOP_ORDER = ("-featured", "name", "id")
# Each ends in a unique column, so that pages neither skip nor repeat. Relevance has no column of
# its own: it sorts by the annotation `rank`, and without a search it is SHOP_ORDER.
ORDERINGS: Mapping[str, tuple[str, ...]] = {
    "relevance": ("-rank", *SHOP_ORDER),
    "name": ("name", "id"),
    "price": ("price_amount", "id"),
    "-price": ("-price_amount", "-id"),
    "newest": ("-created_at", "-id"),
}


class UnknownOrdering(ValueError):
    """There is no ordering of that name."""

    def __init__(self, ordering: str) -> None:
        super().__init__(f"unknown ordering; there are {', '.join(ORDERINGS)}")
        self.ordering = ordering


def sort_columns(ordering: str | None, *, is_ranked: bool) -> tuple[str, ...]:
    """For order_by(). `is_ranked`: the rows carry `rank`. Raises UnknownOrdering."""
    if ordering is not None and ordering not in ORDERINGS:
        raise UnknownOrdering(ordering)
    if ordering in (None, "relevance"):
        return ORDERINGS["relevance"] if is_ranked else SHOP_ORDER
    return ORDERINGS[ordering]
