"""Amounts, countries, product cards, form fields and the visitor's parts in templates."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils import formats
from django.utils.html import format_html
from django.utils.safestring import mark_safe

from apps.core import money as core_money
from apps.customers import addresses, countries, printed_address
from apps.customers.models import Address
from apps.web import visitor_parts
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


@register.simple_tag
@lru_cache(maxsize=2_000, typed=True)  # a text that is safe is not one that was typed
def once(template_name: str, **given: Any) -> str:
    """An included template, rendered once a process for each set of values that it is given.

    They must be hashable, and all that it shows: it sees neither the request nor other values.
    """
    return render_to_string(template_name, given)


@register.simple_tag(takes_context=True)
def visitor(context: Context, part: str) -> str:
    """What differs from visitor to visitor: "tools" or "messages" (visitor_parts.py)."""
    if context.get("kept"):
        return mark_safe(visitor_parts.MARKS[part])  # noqa: S308  # nosec
    return visitor_parts.PARTS[part](context["request"])


CONTROL = "@control-of-this-field@"


@register.simple_tag
def field(bound: BoundField, width: str = "", help: str = "") -> str:
    """A labelled form field with its error beside it."""
    widget = bound.field.widget
    invalid = bool(bound.errors)
    described = [f"{bound.auto_id}-help"] if help or bound.help_text else []
    if invalid:
        described.insert(0, f"{bound.auto_id}-error")
    attrs = {"aria-describedby": " ".join(described)} if described else {}
    if invalid:
        attrs["aria-invalid"] = "true"
    shell = once(
        "web/parts/field.html",
        control=CONTROL,
        id=bound.id_for_label,
        label=bound.label,
        # Whether a country needs region and postal code is said by the error, not by this label.
        optional=not bound.field.required and bound.name not in ("region", "postal_code"),
        width=width,
        help=help or bound.help_text,
        is_check=getattr(widget, "input_type", "") == "checkbox",
        error=bound.errors[0] if invalid else "",
    )
    return mark_safe(shell.replace(CONTROL, control(bound, attrs), 1))  # noqa: S308  # nosec
