"""How states, amounts and links look in the back office. Everything here escapes its arguments."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.core import money

# The colour of each state. A state that is not listed is grey.
COLOURS = {
    # sagas and their steps
    "forward": "info",
    "undoing": "warning",
    "done": "success",
    "review": "danger",
    "retry": "warning",
    "refused": "danger",
    "wait": "info",
    "contradiction": "danger",
    # payments, refunds, calls
    "requires_action": "warning",
    "authorized": "info",
    "partly_captured": "danger",
    "captured": "success",
    "failed": "danger",
    "refunded": "warning",
    "requested": "info",
    "succeeded": "success",
    # webhooks and mail
    "received": "info",
    "applied": "success",
    "quarantined": "danger",
    "dead": "danger",
    "due": "info",
    "sent": "success",
    "suppressed": "warning",
    # stock
    "active": "info",
    "confirmed": "success",
    "restocked": "warning",
    "sold out": "danger",
    "low": "warning",
    "back-ordered": "warning",
    "not counted": "info",
    "plenty": "success",
    # parcels
    "labelled": "info",
    "handed_over": "primary",
    "delivered": "success",
    # promos
    "running": "success",
    "scheduled": "info",
    "used up": "danger",
}


def add_colours(colours: Mapping[str, str]) -> None:
    """Let an app above this one colour its own states, by state; empty is grey."""
    COLOURS.update(colours)


def label(state: str, text: str = "", *, title: str = "") -> SafeString:
    """A coloured label for a state of anything."""
    shown = text or str(state).replace("_", " ")
    context = {"text": shown, "type": COLOURS.get(str(state), ""), "label_title": title}
    return render_to_string("unfold/helpers/label.html", context)


def amount(minor: int | None, currency: str = "") -> str:
    """`"$19.99"`, or a dash where there is none."""
    return "–" if minor is None else money.for_people(minor, currency or settings.SHOP_CURRENCY)


def times(count: int) -> str:
    """`1` is `"once"`, `3` is `"3 times"`, `0` is `"not once"`."""
    return {0: "not once", 1: "once"}.get(count, f"{count} times")


def percent(basis_points: int) -> str:
    """`825` is `"8.25 %"`."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole} %" if not rest else f"{whole}.{rest:02d} %".replace("0 %", " %")


def link(url: str, text: Any) -> SafeString:
    """A link in the admin's colour."""
    return format_html('<a class="text-link" href="{}">{}</a>', url, text)
