"""The orders that staff mean by what they type: a number, an e-mail address, a name, a SKU.

Numbers, addresses and SKUs are looked up by their indexes. Names are read, folded and compared for
the newest orders only: there is no index of names, and whoever calls about an order has bought
lately.
"""

import re
from uuid import UUID

from django.db.models import Q, QuerySet

from apps.catalog.search import folded
from apps.core import clean_text
from apps.customers.mailbox import mailbox_of
from apps.orders.intake.order_numbers import ALPHABET, PREFIX
from apps.orders.models import Order, OrderLine

NAMES_OF = 20_000  # orders, the newest: their names are read with each such search
# A mail program copies an address with its owner's name, a browser with the scheme of the link.
ADDRESS = re.compile(r"<([^<>]*@[^<>]*)>|^mailto:([^?]*)", re.IGNORECASE)
# As people write down what they hear: numbers have no I, L, O (Crockford's base 32).
MISHEARD = str.maketrans("ILO", "110")


def matching(orders: QuerySet[Order], typed: str) -> QuerySet[Order]:
    """Those of `orders` that `typed` may mean; all of them when it is empty."""
    text = clean_text.code(typed.replace("\0", " "))
    if not text:
        return orders
    if address := ADDRESS.search(text):
        text = (address[1] or address[2]).strip()
    wanted = Q(mailbox__startswith=mailbox_of(text))
    if "@" not in text:
        wanted |= Q(number__startswith=text.upper())
        if number := _number(text):
            wanted |= Q(number__startswith=number)
        # The digest of an IP address, as the stock pages show it.
        wanted |= Q(client=text, client__gt="")
        wanted |= Q(
            pk__in=OrderLine.objects.filter(sku__in={text, text.upper()}).values("order_id")
        )
        if named := _named(text):
            wanted |= Q(pk__in=named)
    return orders.filter(wanted)


def _number(text: str) -> str:
    """`text` as an order's number, or the beginning of one; "" when it can be none."""
    digits = re.sub(r"[\s-]", "", text.upper())
    digits = digits.removeprefix(PREFIX.rstrip("-")).translate(MISHEARD)
    return PREFIX + digits if digits and set(digits) <= set(ALPHABET) else ""


def _named(text: str) -> list[UUID]:
    """Ids of the newest orders to a name that has each word of `text`, or one that begins so."""
    words = folded(text).split()
    if not words or any(character.isdigit() for character in text):
        return []
    newest = Order.objects.order_by("-id").values_list("pk", "shipping_address__name")[:NAMES_OF]
    return [order_id for order_id, name in newest if name and _begin(words, folded(str(name)))]


def _begin(words: list[str], name: str) -> bool:
    return all(f" {word}" in f" {name}" for word in words)
