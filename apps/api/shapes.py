"""What request bodies look like: each shape reads a value and describes itself for OpenAPI.

One declaration does both, so the schema cannot promise what the reader refuses. Shapes are strict
(`"2"`, `2.0` and `true` are no quantity), collect every error instead of stopping at the first, and
ignore fields that nobody declared: a client's `price`, `status` or `user` is not even looked at.
They are a few times cheaper than serializers, which the checkout's budget needs.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django_countries import countries

from storefront.money import to_minor
from storefront.problems import Problem

Errors = list[dict[str, Any]]
COUNTRIES = frozenset(code for code, _ in countries)
CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")


class Invalid:
    """Marks a value that could not be read; the reason is in the errors."""


INVALID: Final = Invalid()


class Shape:
    """Reads one JSON value. `read` returns INVALID after adding to `errors`."""

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        raise NotImplementedError

    def schema(self) -> dict[str, Any]:
        """As an OpenAPI 3.0 schema object."""
        raise NotImplementedError


def refuse(errors: Errors, path: str, code: str, message: str) -> Invalid:
    errors.append({"field": path, "code": code, "message": message})
    return INVALID


@dataclass(frozen=True)
class Text(Shape):
    """One line of text (or several with `lines`), without blanks at its ends."""

    most: int = 200
    blank: bool = False
    pattern: re.Pattern[str] | None = None
    hint: str = "This has not the expected form."
    lines: bool = False
    example: str | None = None

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not str:
            return refuse(errors, path, "invalid", "Expected a string.")
        value = value.strip()
        if not value:
            if self.blank:
                return ""
            return refuse(errors, path, "blank", "This may not be blank.")
        if len(value) > self.most:
            return refuse(errors, path, "max_length", f"At most {self.most} characters.")
        if CONTROL.search(value.replace("\n", " ").replace("\r", " ") if self.lines else value):
            return refuse(errors, path, "invalid", "Control characters are not allowed.")
        if self.pattern is not None and not self.pattern.fullmatch(value):
            return refuse(errors, path, "invalid", self.hint)
        return value

    def schema(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string", "maxLength": self.most}
        if not self.blank:
            schema["minLength"] = 1
        if self.pattern is not None:
            schema["pattern"] = f"^{self.pattern.pattern}$"
        if self.example is not None:
            schema["example"] = self.example
        return schema


@dataclass(frozen=True)
class Secret(Shape):
    """A password: kept to the letter, blanks included."""

    most: int = 256

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not str:
            return refuse(errors, path, "invalid", "Expected a string.")
        if not value:
            return refuse(errors, path, "blank", "This may not be blank.")
        if len(value) > self.most:
            return refuse(errors, path, "max_length", f"At most {self.most} characters.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "password", "minLength": 1, "maxLength": self.most}


@dataclass(frozen=True)
class Email(Shape):
    """An e-mail address."""

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not str:
            return refuse(errors, path, "invalid", "Expected a string.")
        value = value.strip()
        try:
            if len(value) > 254:
                raise ValidationError("too long")
            validate_email(value)
        except ValidationError:
            return refuse(errors, path, "invalid", "Enter a valid e-mail address.")
        return value

    def schema(self) -> dict[str, Any]:
        return {
            "type": "string",
            "format": "email",
            "maxLength": 254,
            "example": "alice@example.com",
        }


@dataclass(frozen=True)
class Whole(Shape):
    """A whole number, as a JSON integer and nothing like one."""

    least: int
    most: int

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not int:  # bool is an int to isinstance
            return refuse(errors, path, "invalid", "Expected a whole number.")
        if value < self.least:
            return refuse(errors, path, "min_value", f"At least {self.least}.")
        if value > self.most:
            return refuse(errors, path, "max_value", f"At most {self.most}.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Flag(Shape):
    """true or false."""

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not bool:
            return refuse(errors, path, "invalid", "Expected true or false.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Id(Shape):
    """A UUID."""

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is str and len(value) <= 36:
            try:
                return uuid.UUID(value)
            except ValueError:
                pass
        return refuse(errors, path, "invalid", "Expected a UUID.")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}


@dataclass(frozen=True)
class Country(Shape):
    """ISO 3166-1 alpha-2, read in any case."""

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is str and (code := value.strip().upper()) in COUNTRIES:
            return code
        return refuse(errors, path, "invalid", "Expected a country code (ISO 3166-1 alpha-2).")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 2, "maxLength": 2, "example": "US"}


AMOUNT = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,4})?")


@dataclass(frozen=True)
class Price(Shape):
    """`{"amount": "19.99", "currency": "USD"}`, read as (minor units, currency)."""

    currency: str

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not dict:
            return refuse(errors, path, "invalid", 'Expected {"amount", "currency"}.')
        if value.get("currency") != self.currency:
            where = f"{path}.currency"
            return refuse(errors, where, "invalid", f"This shop sells in {self.currency}.")
        amount = value.get("amount")
        if type(amount) is not str or not AMOUNT.fullmatch(amount):
            where = f"{path}.amount"
            return refuse(errors, where, "invalid", 'Expected a decimal string such as "19.99".')
        return to_minor(amount, self.currency), self.currency

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["amount", "currency"],
            "properties": {
                "amount": {"type": "string", "pattern": f"^{AMOUNT.pattern}$", "example": "19.99"},
                "currency": {"type": "string", "enum": [self.currency]},
            },
        }


@dataclass(frozen=True)
class ListOf(Shape):
    """One to `most` values of one shape."""

    of: Shape
    most: int

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not list:
            return refuse(errors, path, "invalid", "Expected a list.")
        if not value:
            return refuse(errors, path, "empty", "This may not be empty.")
        if len(value) > self.most:
            return refuse(errors, path, "max_length", f"At most {self.most} entries.")
        read = self.of.read
        return [read(inner, f"{path}[{index}]", errors) for index, inner in enumerate(value)]

    def schema(self) -> dict[str, Any]:
        return {
            "type": "array",
            "items": self.of.schema(),
            "minItems": 1,
            "maxItems": self.most,
        }


@dataclass(frozen=True)
class Optional(Shape):
    """A field that may be absent or null; then it reads as what `default` makes."""

    of: Shape
    default: Callable[[], Any] = lambda: None

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        return self.default() if value is None else self.of.read(value, path, errors)

    def schema(self) -> dict[str, Any]:
        return self.of.schema() | {"nullable": True}


@dataclass(frozen=True)
class Record(Shape):
    """A JSON object with named fields; others are ignored."""

    fields: Mapping[str, Shape]

    def read(self, value: Any, path: str, errors: Errors) -> Any:
        if type(value) is not dict:
            return refuse(errors, path, "invalid", "Expected an object.")
        prefix = f"{path}." if path else ""
        read: dict[str, Any] = {}
        for name, shape in self.fields.items():
            if (given := value.get(name)) is None and not isinstance(shape, Optional):
                code, words = (
                    ("null", "This may not be null.")
                    if name in value
                    else ("required", "This field is required.")
                )
                read[name] = refuse(errors, prefix + name, code, words)
            else:
                read[name] = shape.read(given, prefix + name, errors)
        return read

    def read_given(self, value: dict[str, Any], errors: Errors) -> dict[str, Any]:
        """Only the fields that `value` has: for PATCH."""
        return {
            name: shape.read(value[name], name, errors)
            for name, shape in self.fields.items()
            if name in value
        }

    def schema(self) -> dict[str, Any]:
        required = [name for name, shape in self.fields.items() if not isinstance(shape, Optional)]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: shape.schema() for name, shape in self.fields.items()},
        }
        return schema | ({"required": required} if required else {})


def blank_or(shape: Text) -> Optional:
    """An optional text that reads as "" when absent."""
    return Optional(shape, str)


def read_body(record: Record, body: Any) -> dict[str, Any]:
    """`body` as `record` describes it; raises Problem 400 with every field that is wrong."""
    errors: Errors = []
    values = record.read(body, "", errors)
    refuse_if_any(errors)
    return values


def refuse_if_any(errors: Errors) -> None:
    if errors:
        raise Problem(400, "invalid", "Some fields are not valid.", errors=errors)
