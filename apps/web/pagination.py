"""The page of a product list that is asked for."""

import re
from dataclasses import dataclass

from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from apps.catalog import browse
from apps.catalog.models import Product

PER_PAGE = 24


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, and how many products the whole list has."""

    number: int
    products: list[Product]
    total: int

    @property
    def all(self) -> Paginator:
        return Paginator(range(self.total), PER_PAGE)


def read_page(request: HttpRequest, found: QuerySet[Product], counted: int) -> Page:
    """The page that `request` asks for. Raises BadRequest, and Http404 for one past the end.

    `counted` products are in the list, up to a minute ago; what this page reads now corrects it.
    """
    text = request.GET.get("page", "1")
    if not re.fullmatch(r"\d{1,6}", text, re.ASCII):
        raise BadRequest("a page is a number")
    number = int(text)
    before = (number - 1) * PER_PAGE
    products = browse.portion(found, after=before, count=PER_PAGE) if number else []
    if not products and number != 1:
        raise Http404
    seen = before + len(products)
    return Page(number, products, max(counted, seen) if len(products) == PER_PAGE else seen)
