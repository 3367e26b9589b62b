"""The kinds of fields that request bodies are made of.

All are strict: `"2"`, `2.0` and `true` are no quantity. The codes and texts of what is refused are
read by clients and by shoppers (contract: errors); `reading` has those of pydantic's own checks.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from django.core import exceptions as django_exceptions
from django.core.validators import validate_email
from django_countries import countries
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError, core_schema

from apps.core import clean_text

COUNTRIES = frozenset(code for code, _ in countries)
# In the syntax of Rust's regular expressions, which pydantic uses.
_CONTROL = r"\x00-\x1f\x7f\x{85}\x{2028}\x{2029}"
_CONTROL_IN_SCHEMA = r"\u0000-\u001f\u007f\u0085\u2028\u2029"
_CONTROL_BUT_BREAKS = r"\u0000-\u0009\u000b\u000c\u000e-\u001f\u007f\u0085\u2028\u2029"
ONE_LINE = rf"^[^{_CONTROL}]*$"
SEVERAL_LINES = rf"^(?:[^{_CONTROL}]|[\r\n])*$"


class Body(BaseModel):
    """A JSON object that the API takes.

    Fields that are not declared are ignored: a client's `price`, `status` or `user` is never looked
    at. A field with a default may be absent or null.
    """

    model_config = ConfigDict(strict=True, frozen=True)


def refused(code: str, message: str) -> PydanticCustomError:
    """The exception with which a validator refuses a value, under the API's own code and text."""
    # pydantic fills `{name}` in a message from a context; there is none, so braces stay.
    return PydanticCustomError(code, message)  # type: ignore[arg-type]


def fields_refused(value: Any, *errors: tuple[str, str, str]) -> ValidationError:
    """As `refused`, for (field, code, message) each inside of the object `value`."""
    return ValidationError.from_exception_data(
        "fields",
        [
            # The whole object as input: with the field's own, a null would get the code "null".
            InitErrorDetails(type=refused(code, message), loc=(field,), input=value)
            for field, code, message in errors
        ],
    )


@dataclass(frozen=True)
class Text:
    """One line of text, or several with `lines`, without invisible characters (clean_text.py).

    White space at both ends is removed.

    `most` is in characters. `pattern` has to match the whole text, else the message is `hint`.
    `format` and `example` are for the schema only.
    """

    most: int
    blank: bool = False
    lines: bool = False
    pattern: re.Pattern[str] | None = None
    hint: str = ""
    example: str | None = None
    format: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        steps: list[core_schema.CoreSchema] = [
            core_schema.str_schema(strict=True),
            core_schema.no_info_plain_validator_function(_clean),
            core_schema.str_schema(
                min_length=0 if self.blank else 1,
                max_length=self.most,
                pattern=SEVERAL_LINES if self.lines else ONE_LINE,
            ),
        ]
        if self.pattern is not None:
            steps.append(
                core_schema.custom_error_schema(
                    core_schema.str_schema(pattern=f"^(?:{self.pattern.pattern})$"),
                    custom_error_type="invalid",
                    custom_error_message=self.hint,
                )
            )
        return core_schema.chain_schema(steps)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "string", "maxLength": self.most}
        if not self.blank:
            found["minLength"] = 1
        if self.format:
            found["format"] = self.format
        found["pattern"] = self._pattern()
        if self.example is not None:
            found["example"] = self.example
        return found

    def _pattern(self) -> str:
        """In the syntax of ECMA-262, which JSON Schema uses."""
        if self.pattern is not None:
            return f"^{self.pattern.pattern}$"
        allowed = f"[^{_CONTROL_BUT_BREAKS if self.lines else _CONTROL_IN_SCHEMA}]*"
        if self.blank:
            return f"^{allowed}$"
        return f"^{allowed}[^{_CONTROL_IN_SCHEMA}\\s]{allowed}$"


def _clean(text: str) -> str:
    # Not pydantic's strip_whitespace: Rust and Python disagree on U+001C to U+001F.
    return clean_text.clean(text).strip()


def own(check: Callable[[Any], Any], schema: dict[str, Any]) -> tuple[Any, Any]:
    """A field that one function reads, with its JSON schema: `Annotated[type, *own(check, …)]`."""
    return PlainValidator(check), WithJsonSchema(schema)


def _secret(value: Any, *, most: int) -> str:
    if type(value) is not str:
        raise refused("invalid", "Expected a string.")
    if not value:
        raise refused("blank", "This may not be blank.")
    if len(value) > most:
        raise refused("max_length", f"At most {most} characters.")
    return value


def _email(value: Any) -> str:
    if type(value) is not str:
        raise refused("invalid", "Expected a string.")
    value = clean_text.email(value)
    try:
        if len(value) > EMAIL_MAX:
            raise django_exceptions.ValidationError("too long")
        validate_email(value)
    except django_exceptions.ValidationError:
        raise refused("invalid", "Enter a valid e-mail address.") from None
    return value


def _id(value: Any) -> uuid.UUID:
    # pydantic's own check also takes "urn:uuid:…" and bytes.
    if type(value) is str and len(value) <= 36:
        try:
            return uuid.UUID(value)
        except ValueError:
            pass
    raise refused("invalid", "Expected a UUID.")


def _country(value: Any) -> str:
    if type(value) is str and (code := clean_text.code(value).upper()) in COUNTRIES:
        return code
    raise refused("invalid", "Expected a country code (ISO 3166-1 alpha-2).")


EMAIL_MAX = 254
EXAMPLE_EMAIL = "alice@example.com"
Email = Annotated[
    str,
    *own(
        _email,
        {"type": "string", "format": "email", "maxLength": EMAIL_MAX, "example": EXAMPLE_EMAIL},
    ),
]
Id = Annotated[uuid.UUID, *own(_id, {"type": "string", "format": "uuid"})]
# ISO 3166-1 alpha-2, read in any case.
Country = Annotated[
    str, *own(_country, {"type": "string", "minLength": 2, "maxLength": 2, "example": "US"})
]


def secret(most: int, *, least: int = 1) -> tuple[Any, Any]:
    """A password of at most `most` characters, kept as it was typed, white space included.

    `least` is for the schema: the account's own rules refuse what is shorter.
    """
    return own(
        lambda value: _secret(value, most=most),
        {"type": "string", "format": "password", "minLength": least, "maxLength": most},
    )


def whole(least: int, most: int) -> Any:
    """A whole number from `least` to `most`: a JSON integer and nothing like one."""
    return Field(strict=True, ge=least, le=most)
