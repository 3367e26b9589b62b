"""Amounts, states and names in the back office's own templates."""

from django import template
from django.utils.safestring import SafeString

from apps.backoffice import formatting

register = template.Library()
register.filter("amount", formatting.amount)


@register.simple_tag
def state_label(state: str, text: str = "") -> SafeString:
    """A coloured label."""
    return formatting.label(state, text)


@register.filter
def words(name: str) -> str:
    """`capture_payment` as `capture payment`."""
    return name.replace("_", " ")
