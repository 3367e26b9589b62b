"""Validation: from a JSON object to a body of the contract, or to a Problem 400 with every error.

pydantic validates; the codes and texts are the API's own and do not change with pydantic's version.
"""

from collections.abc import Iterator
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from apps.api.contract.fields import Body
from apps.api.contract.problem import FieldProblem
from apps.core.problems import Problem

Errors = list[FieldProblem]
# Of fields, which clients look for in the problem itself.
CODES_OF_THEIR_OWN = {"region_unknown"}
B = TypeVar("B", bound=Body)

OBJECT = ("invalid", "Expected an object.")
STRING = ("invalid", "Expected a string.")
# By pydantic's type of an error: the code and the text that the API answers.
# `{name}` is filled from what pydantic tells of the error.
WORDS: dict[str, tuple[str, str]] = {
    "missing": ("required", "This field is required."),
    "model_type": OBJECT,
    "dict_type": OBJECT,
    "string_type": STRING,
    "string_unicode": STRING,
    "string_too_short": ("blank", "This may not be blank."),
    "string_too_long": ("max_length", "At most {max_length} characters."),
    "string_pattern_mismatch": ("invalid", "Control characters are not allowed."),
    "int_type": ("invalid", "Expected a whole number."),
    "greater_than_equal": ("min_value", "At least {ge}."),
    "less_than_equal": ("max_value", "At most {le}."),
    "bool_type": ("invalid", "Expected true or false."),
    "list_type": ("invalid", "Expected a list."),
    "too_short": ("empty", "This may not be empty."),
    "too_long": ("max_length", "At most {max_length} entries."),
}


def read_body(model: type[B], data: Any) -> B:
    """`data` (a JSON object) as `model` declares it; raises Problem 400 with every error."""
    try:
        return model.model_validate(data)
    except ValidationError as refused:
        raise invalid(list(errors_of(refused))) from None


def read_value(kind: TypeAdapter[Any], value: Any) -> tuple[Any, str]:
    """One value and "", or None and the text that says what is wrong with it."""
    try:
        return kind.validate_python(value), ""
    except ValidationError as refused:
        return None, next(errors_of(refused))["message"]


def errors_of(refused: ValidationError) -> Iterator[FieldProblem]:
    """`{field, code, message}` of each error, in the order of the declaration."""
    for error in refused.errors(include_url=False):
        at, kind = error["loc"], error["type"]
        if kind != "missing" and error["input"] is None and at and type(at[-1]) is str:
            code, message = "null", "This may not be null."
        elif kind in WORDS:
            code, message = WORDS[kind]
            message = message.format_map(error.get("ctx", {}))
        else:  # the contract's own, of `fields.refused`
            code, message = kind, error["msg"]
        yield {"field": _path(at), "code": code, "message": message}


def problem(status: int, code: str, detail: str, errors: Errors) -> Problem:
    """A Problem with fields at fault."""
    return Problem(status, code, detail, errors=cast(list[dict[str, Any]], errors))


def invalid(errors: Errors) -> Problem:
    """The answer to a body with these errors; under their code where clients look for it."""
    codes = {error["code"] for error in errors}
    if len(codes) == 1 and codes <= CODES_OF_THEIR_OWN:
        return problem(400, *codes, errors[0]["message"], errors)
    return problem(400, "invalid", "Some fields are not valid.", errors)


def _path(at: tuple[int | str, ...]) -> str:
    """Where an error is, as clients read it: `lines[0].sku`."""
    parts = (f"[{part}]" if type(part) is int else f".{part}" for part in at)
    return "".join(parts).removeprefix(".")
