"""Product details as this process has read them, for as long as Redis holds the same bytes.

Redis is asked at each call whether the product is still the one that was read: equal bytes and
stamps are an equal product. So a change is seen as soon as it is by reading anew, and what is saved
is decoding. How many units are available is never kept.
"""

import threading

from apps.catalog import browse, cache
from apps.catalog.browse import ProductDetail

PRODUCTS = 2_000  # kept in this process: a few KB each

Held = tuple[bytes | None, ...]
_kept: dict[str, tuple[Held, ProductDetail]] = {}
_making_room = threading.Lock()  # two threads that evict the oldest at once: one finds it gone


def of(slug: str) -> ProductDetail | None:
    """The public product `slug`; None when there is none."""
    held = cache.raw_pages(("product", slug))
    kept = _kept.get(slug)
    if kept is not None and kept[0] == held:
        return kept[1]
    detail = browse.product_detail(slug)
    # Where the entry changed meanwhile, what was read may be of before or after the change.
    if detail is not None and held is not None and cache.raw_pages(("product", slug)) == held:
        with _making_room:
            while len(_kept) >= PRODUCTS:
                _kept.pop(next(iter(_kept)))
            _kept[slug] = held, detail
    return detail
