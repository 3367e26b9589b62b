"""The controls of the pages' forms, written without Django's widget templates.

Django renders each widget through three templates, and a list of countries through one more an
option: 39 of every 100 ms of a purchase by page. What is written here is the same HTML, character
by character (tests/web/test_form_controls.py); a widget that is not known here is left to Django.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from django.forms import BoundField, Select, widgets
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from apps.customers import countries

# Those whose template is Django's plain <input>.
_INPUTS = (widgets.TextInput, widgets.EmailInput, widgets.PasswordInput)


class CountrySelect(Select):
    """A list of all countries, whose options are written once a process."""


def control(bound: BoundField, attrs: Mapping[str, str]) -> str:
    """The control of a field, with `attrs` beside those of its widget."""
    widget = bound.field.widget
    if not isinstance(widget, (CountrySelect, *_INPUTS)):
        return bound.as_widget(attrs={**attrs})
    own = bound.build_widget_attrs({**widget.attrs, **attrs}, widget)
    if bound.auto_id:
        own.setdefault("id", bound.auto_id)
    if isinstance(widget, CountrySelect):
        return _select(bound, _attributes(own))
    shown = None if _hides_value(widget) else widget.format_value(bound.value())
    value = "" if shown is None else f' value="{escape(shown)}"'
    name = escape(bound.html_name)
    return _safe(f'<input type="{widget.input_type}" name="{name}"{value}{_attributes(own)}>')


def _hides_value(widget: widgets.Input) -> bool:
    """A password is never written into a page."""
    return isinstance(widget, widgets.PasswordInput) and not widget.render_value


def _attributes(attrs: Mapping[str, Any]) -> str:
    """As Django's attrs.html writes them."""
    return "".join(
        f" {name}" if value is True else f' {name}="{escape(value)}"'
        for name, value in attrs.items()
        if value is not False
    )


def _select(bound: BoundField, attributes: str) -> str:
    chosen = bound.value()
    options = _countries()
    if chosen in countries.names():
        options = options.replace(f'value="{chosen}"', f'value="{chosen}" selected', 1)
    return _safe(f'<select name="{escape(bound.html_name)}"{attributes}>\n{options}</select>')


@cache
def _countries() -> str:
    """The options of all countries, none selected, as Django's select.html writes them."""
    return "".join(
        f'  <option value="{escape(code)}">{escape(name)}</option>\n\n'
        for code, name in countries.choices()
    )


def _safe(html: str) -> SafeString:
    """`html`, of which each part that is not our own has been escaped."""
    return mark_safe(html)  # noqa: S308  # nosec
