"""Amounts, states and names in the back office's own templates."""

from django import template
from django.utils.safestring import SafeString

from storefront.backoffice import looks

register = template.Library()
register.filter("amount", looks.amount)


@register.simple_tag
def state_label(state: str, text: str = "") -> SafeString:
    """A coloured label."""
    return looks.label(state, text)


@register.filter
def words(name: str) -> str:
    """`capture_payment` as `capture payment`."""
    return name.replace("_", " ")
