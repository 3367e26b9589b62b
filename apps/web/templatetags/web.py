"""Amounts, countries, product cards and form fields in templates."""

from datetime import UTC, datetime
from functools import lru_cache

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.loader import render_to_string
from django.utils import formats
from django.utils.html import format_html

from apps.core import money as core_money
from apps.customers import addresses, countries, printed_address
from apps.customers.models import Address
from apps.web.form_controls import control
from apps.web.product_cards import Card

register = template.Library()


@register.filter
def money(minor: int | None, currency: str = "") -> str:
    """Minor units as a shopper reads them: 1999 is $19.99."""
    if minor is None:
        return ""
    return core_money.for_people(minor, currency or settings.SHOP_CURRENCY)


@register.filter
def negative(minor: int) -> int:
    """For a discount, which is subtracted."""
    return -minor


@register.filter
def country(code: str) -> str:
    """A country's name by its ISO code."""
    return countries.names().get(code, code)


@register.filter
def printed(address: Address) -> list[str]:
    """The lines of an entry of the address book, in the order of its country."""
    return printed_address.lines(addresses.as_dict(address))


MOMENTS = {
    # how: as Django writes it, for browsers without scripts; static/js/times.js has the same words
    "long": "j F Y, H:i",
    "stamp": "j M, H:i:s",
    "clock": "H:i",
    "day": "j F Y",
}


@register.simple_tag
def moment(at: datetime, how: str) -> str:
    """A moment in UTC that says so; the page's script shows it in the shopper's own zone."""
    written = formats.date_format(at.astimezone(UTC), MOMENTS[how])
    zone = "" if how == "day" else " UTC"
    return format_html(
        '<time datetime="{}" data-time="{}">{}{}</time>',
        at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        how,
        written,
        zone,
    )


@register.simple_tag
@lru_cache(maxsize=2_000)
def product_card(card: Card, eager: bool = False, level: int = 3) -> str:
    """A product in a list. Cached: equal cards look alike.

    eager: load its picture at once. level: of its heading, one below that of the list.
    """
    context = {"card": card, "eager": eager, "level": level}
    return render_to_string("web/parts/product_card.html", context)


@register.inclusion_tag("web/parts/field.html")
def field(bound: BoundField, width: str = "", help: str = "") -> dict:
    """A labelled form field with its error beside it."""
    widget = bound.field.widget
    invalid = bool(bound.errors)
    described = [f"{bound.auto_id}-help"] if help or bound.help_text else []
    if invalid:
        described.insert(0, f"{bound.auto_id}-error")
    attrs = {"aria-describedby": " ".join(described)} if described else {}
    if invalid:
        attrs["aria-invalid"] = "true"
    return {
        "bound": bound,
        "control": control(bound, attrs),
        # Whether a country needs region and postal code is said by the error, not by this label.
        "optional": not bound.field.required and bound.name not in ("region", "postal_code"),
        "width": width,
        "help": help or bound.help_text,
        "is_check": getattr(widget, "input_type", "") == "checkbox",
    }
