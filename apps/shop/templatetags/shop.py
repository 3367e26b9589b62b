"""How amounts, states and form fields are written on a page."""

from functools import lru_cache

from django import template
from django.conf import settings
from django.forms import BoundField
from django.template.loader import render_to_string

from apps.customers import countries
from apps.shop.cards import Card
from storefront import money as money_kernel

register = template.Library()


@register.filter
def money(minor: int | None, currency: str = "") -> str:
    """Minor units as a shopper reads them: 1999 is $19.99."""
    if minor is None:
        return ""
    return money_kernel.for_people(minor, currency or settings.SHOP_CURRENCY)


@register.filter
def negative(minor: int) -> int:
    """For a discount, which is subtracted."""
    return -minor


@register.filter
def country(code: str) -> str:
    """A country's name by its ISO code."""
    return countries.names().get(code, code)


@register.simple_tag
@lru_cache(maxsize=2_000)
def product_card(card: Card, eager: bool = False) -> str:
    """A product on a shelf; `eager` for the one that is seen first. Equal cards look alike."""
    return render_to_string("shop/parts/product_card.html", {"card": card, "eager": eager})


@register.inclusion_tag("shop/parts/field.html")
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
        "control": bound.as_widget(attrs={**widget.attrs, **attrs}),
        # What one country asks for and another does not is said by the error, not promised here.
        "optional": not bound.field.required and bound.name not in ("region", "postal_code"),
        "width": width,
        "help": help or bound.help_text,
        "is_check": getattr(widget, "input_type", "") == "checkbox",
    }
