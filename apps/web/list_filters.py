"""How a visitor narrowed and sorted a list of products, read from the page's address."""

import re
from dataclasses import dataclass
from decimal import Decimal

from django.core.exceptions import BadRequest
from django.http import HttpRequest

from apps.catalog.browse import ListFilters
from apps.core import money

SORTS = (
    ("", "our own order"),
    ("price", "price, low first"),
    ("-price", "price, high first"),
    ("newest", "newest first"),
    ("name", "name"),
)
PRICE = re.compile(r"\d{1,7}(?:\.\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filters:
    """The parameters as typed and, for prices, as read (minor units). `error`: for the visitor."""

    min_typed: str
    max_typed: str
    min_price: int | None
    max_price: int | None
    in_stock: bool
    category: str
    sort: str
    error: str

    @property
    def any(self) -> bool:
        return bool(self.min_typed or self.max_typed or self.in_stock or self.category)

    def for_query(self, search: str) -> ListFilters:
        """As browse.products takes them, without the category."""
        return {
            "search": search or None,
            "min_price": self.min_price,
            "max_price": self.max_price,
            "in_stock": True if self.in_stock else None,
        }

    def parameters(self) -> dict[str, str]:
        """As the address carries them, empty ones left out."""
        found = {
            "category": self.category,
            "min_price": self.min_typed,
            "max_price": self.max_typed,
            "in_stock": "1" if self.in_stock else "",
            "sort": self.sort,
        }
        return {name: value for name, value in found.items() if value}


def read_filters(request: HttpRequest) -> Filters:
    """The filters in the address of `request`. Raises BadRequest for an unknown ordering."""
    sort = request.GET.get("sort", "")
    if sort not in {value for value, _ in SORTS}:
        raise BadRequest("unknown ordering")
    typed = [request.GET.get(name, "").strip()[:20] for name in ("min_price", "max_price")]
    prices: list[int | None] = []
    error = ""
    for text in typed:
        amount = text.removeprefix("$").replace(",", "")
        if amount and not PRICE.fullmatch(amount):
            error = "Write prices as plain numbers, such as 20 or 19.50."
            amount = ""
        prices.append(money.to_minor(Decimal(amount), "USD") if amount else None)
    low, high = prices
    if low is not None and high is not None and low > high:
        error = "The lower price is above the higher one."
    return Filters(
        min_typed=typed[0],
        max_typed=typed[1],
        min_price=low,
        max_price=high,
        in_stock=request.GET.get("in_stock", "") not in ("", "0", "false"),
        category=request.GET.get("category", "").replace("\x00", "")[:140],
        sort=sort,
        error=error,
    )
