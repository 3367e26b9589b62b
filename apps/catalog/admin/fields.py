"""Form fields: lists and options written with commas, and a choice of categories.

A part that has a comma, a colon or a quotation mark in it stands in quotation marks, as in CSV:
`Small, "Large, 12 oz", "6"" / 15 cm"`. So whatever an imported file holds can be saved unchanged.
"""

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from apps.catalog.models import Category
from apps.catalog.text import one_line

# `Size: Large, Colour: Moss`; either may be quoted.
QUOTED = r'"(?:[^"]|"")*"'
PART = re.compile(rf" ?({QUOTED}|[^,]*?) ?(?:,|$)")
PAIR = re.compile(rf'\s*({QUOTED}|[^":,][^:,]*?)\s*:\s*({QUOTED}|[^",][^,]*?)\s*(?:,|$)')


def comma_list(text: str) -> list[str]:
    """The parts of `text` between its commas, each once, in the order written."""
    parts = (_read(found[1]).strip() for found in PART.finditer(one_line(text)))
    return list(dict.fromkeys(part for part in parts if part))


def _written(text: str, *, unsafe: str) -> str:
    """`text`, in quotation marks if it could be misread without them."""
    if text.startswith('"') or text != text.strip() or any(sign in text for sign in unsafe):
        return '"' + text.replace('"', '""') + '"'
    return text


def _read(text: str) -> str:
    is_quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    return text[1:-1].replace('""', '"') if is_quoted else text


def _joined(words: Iterable[Any]) -> str:
    return ", ".join(_written(str(word), unsafe=",") for word in words)


class CommaListField(forms.CharField):
    """A JSON list of words, written with commas between."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": UnfoldAdminTextInputWidget} | kwargs)

    def prepare_value(self, value: Any) -> Any:
        return _joined(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        return comma_list(super().clean(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return list(initial or []) != comma_list(data or "")


class OptionsField(forms.CharField):
    """A variant's choices, written `Size: Large, Colour: Moss`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"widget": UnfoldAdminTextInputWidget} | kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return ", ".join(
                f"{_written(name, unsafe=':,')}: {_written(choice, unsafe=',')}"
                for name, choice in value.items()
            )
        return value

    def clean(self, value: Any) -> Any:
        return self._parsed(super().clean(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return (initial or {}) != self._parsed(data or "")
        except ValidationError:
            return True

    def _parsed(self, text: str) -> dict[str, str]:
        choices: dict[str, str] = {}
        rest = one_line(text).strip(" ,")
        while rest:
            found = PAIR.match(rest)
            if found is None:
                raise ValidationError("Write options as “Size: Large, Colour: Moss”.")
            name, choice = _read(found[1]), _read(found[2])
            if name in choices:
                raise ValidationError(f"“{name}” stands there twice.")
            choices[name] = choice
            rest = rest[found.end() :].lstrip(" ,")
        return choices


class CategoryChoice(forms.ModelChoiceField):
    """The category tree as a list, subcategories indented."""

    def __init__(self, **kwargs: Any) -> None:
        defaults = {"queryset": Category.objects.all(), "widget": UnfoldAdminSelectWidget}
        super().__init__(**defaults | kwargs)

    def label_from_instance(self, category: Any) -> str:
        return indented_name(category)


def indented_name(category: Category) -> str:
    """The category's name, indented by its depth in the tree."""
    return f"{' ' * (category.depth - 1)}{category.name}"
