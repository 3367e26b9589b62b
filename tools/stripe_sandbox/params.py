"""Parameter checks with Stripe's codes and wording.

A schema is a dict of name to reader. A reader takes the raw value and the parameter's full name
and answers the typed value, or raises `ApiError`. Parameters that Stripe knows and this sandbox
does not simulate are refused by name, so that no caller relies on them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from tools.stripe_sandbox.protocol import ApiError

Reader = Callable[[Any, str], Any]
Schema = Mapping[str, Reader]

_LARGEST_AMOUNT = 99_999_999

# Stripe's smallest charges, https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
SMALLEST_CHARGE = {
    "usd": 50, "aed": 200, "aud": 50, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip
# https://docs.stripe.com/currencies#zero-decimal, #three-decimal, #special-cases
_NO_DECIMALS = frozenset(
    ("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf",
     "xof", "xpf")
)  # fmt: skip
_THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
_WHOLE = frozenset(("isk", "ugx"))  # two decimals, which must be 00
_OTHER_CURRENCIES = (
    "afn all amd ang aoa ars awg azn bam bbd bdt bgn bhd bif bmd bnd bob bsd bwp byn bzd cdf clp "
    "cny cop crc cve djf dop dzd egp etb fjd fkp gel gip gmd gnf gtq gyd hnl htg idr ils isk jmd "
    "jod kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr "
    "mwk mzn nad ngn nio npr omr pab pen pgk php pkr pyg qar rsd rub rwf sar sbd scr shp sle sos "
    "srd std szl tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar "
    "zmw"
)
CURRENCIES = frozenset(SMALLEST_CHARGE) | frozenset(_OTHER_CURRENCIES.split())


def string(limit: int = 5000) -> Reader:
    def read(value: Any, name: str) -> str:
        if not isinstance(value, str):
            raise ApiError(400, f"Invalid string: {value}", param=name)
        if value == "":
            raise empty(name)
        if len(value) > limit:
            raise ApiError(
                400,
                f"Invalid string: {value[:40]}...; must be at most {limit} characters",
                param=name,
            )
        return value

    return read


def integer(value: Any, name: str) -> int:
    if value == "":
        raise empty(name)
    if not isinstance(value, str) or not re.fullmatch(r"[+-]?[0-9]{1,18}", value):
        raise ApiError(
            400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=name
        )
    return int(value)


def amount(value: Any, name: str) -> int:
    number = integer(value, name)
    if number < 1:
        raise ApiError(
            400,
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=name,
        )
    if number > _LARGEST_AMOUNT:
        raise ApiError(
            400, "Amount must be no more than $999,999.99", code="amount_too_large", param=name
        )
    return number


def currency(value: Any, name: str) -> str:
    code: str = string(10)(value, name).lower()
    if code not in CURRENCIES:
        raise ApiError(
            400,
            f"Invalid currency: {code}. Stripe currently supports these currencies: "
            + ", ".join(sorted(CURRENCIES)),
            param=name,
        )
    return code


def country(value: Any, name: str) -> str:
    code: str = string()(value, name)
    if not re.fullmatch(r"[A-Z]{2}", code):
        raise ApiError(
            400,
            f"Country '{code}' is unknown. Try using a 2-character alphanumeric country code "
            "instead, such as 'US', 'EG', or 'GB'.",
            param=name,
        )
    return code


def boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise ApiError(400, f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def one_of(*choices: str) -> Reader:
    def read(value: Any, name: str) -> str:
        if value not in choices:
            listed = ", ".join(choices[:-1]) + f", or {choices[-1]}" if choices[1:] else choices[0]
            raise ApiError(400, f"Invalid {name}: must be one of {listed}", param=name)
        return str(value)

    return read


def url(value: Any, name: str) -> str:
    text: str = string()(value, name)
    if not re.fullmatch(r"https?://[^\s/?#]+[^\s]*", text):
        raise ApiError(400, "Not a valid URL", code="url_invalid", param=name)
    return text


def listed(item: Reader) -> Reader:
    def read(value: Any, name: str) -> list[Any]:
        if value == "":
            return []
        if not isinstance(value, list):
            raise ApiError(400, "Invalid array", param=name)
        return [item(entry, f"{name}[{index}]") for index, entry in enumerate(value)]

    return read


def metadata(value: Any, name: str) -> dict[str, str]:
    """At most 50 keys of 40 characters with values of 500. An empty value unsets its key."""
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise ApiError(400, "Invalid object", param=name)
    if len(value) > 50:
        raise ApiError(400, "You can only set 50 metadata keys.", param=name)
    for key, text in value.items():
        if len(key) > 40:
            raise ApiError(
                400, f"Metadata keys must be at most 40 characters: {key[:40]}...", param=name
            )
        if not isinstance(text, str):
            raise ApiError(400, f"Metadata values must be strings: {key}", param=f"{name}[{key}]")
        if len(text) > 500:
            raise ApiError(
                400,
                "Metadata values can have up to 500 characters, but you passed in a value that is "
                f"{len(text)} characters.",
                param=f"{name}[{key}]",
            )
    return dict(value)


def mapping(schema: Schema, *, required: tuple[str, ...] = ()) -> Reader:
    def read(value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ApiError(400, "Invalid object", param=name)
        return check(value, schema, required=required, prefix=name)

    return read


_BOUNDS = mapping({"gt": integer, "gte": integer, "lt": integer, "lte": integer})


def time_span(value: Any, name: str) -> dict[str, int]:
    """A second, or `{gt, gte, lt, lte}` of seconds."""
    if isinstance(value, str):
        exact = integer(value, name)
        return {"gte": exact, "lte": exact}
    bounds: dict[str, int] = _BOUNDS(value, name)
    return bounds


def not_simulated(_value: Any, name: str) -> Any:
    raise ApiError(
        400,
        f"The sandbox does not simulate the parameter {name}, which Stripe would take.",
        code="sandbox_not_played",
        param=name,
    )


def empty(name: str) -> ApiError:
    return ApiError(
        400,
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset "
        f"a parameter; however '{name}' cannot be unset. You should remove '{name}' from your "
        "request or supply a non-empty value.",
        code="parameter_invalid_empty",
        param=name,
    )


def check(
    params: Mapping[str, Any], schema: Schema, *, required: tuple[str, ...] = (), prefix: str = ""
) -> dict[str, Any]:
    """The typed parameters. Unknown names are refused before missing ones, as Stripe does."""
    read: dict[str, Any] = {}
    for name, value in params.items():
        full = f"{prefix}[{name}]" if prefix else name
        reader = schema.get(name)
        if reader is None:
            raise ApiError(
                400, f"Received unknown parameter: {full}", code="parameter_unknown", param=full
            )
        read[name] = reader(value, full)
    for name in required:
        if name not in read:
            full = f"{prefix}[{name}]" if prefix else name
            raise ApiError(
                400, f"Missing required param: {full}.", code="parameter_missing", param=full
            )
    return read


def decimals(code: str) -> int:
    """How many decimals Stripe counts a currency with."""
    if code in _NO_DECIMALS:
        return 0
    return 3 if code in _THREE_DECIMALS else 2


def check_step(value: int, code: str, name: str) -> None:
    """Refuse what banks cannot settle: fractions of a krona, the third decimal of a dinar."""
    step = 100 if code in _WHOLE else 10 if code in _THREE_DECIMALS else 1
    if value % step:
        raise ApiError(
            400,
            f"Invalid {name}: {value}. Amounts in {code} must be divisible by {step}.",
            code="parameter_invalid_integer",
            param=name,
        )


def check_smallest_charge(value: int, code: str) -> None:
    least = SMALLEST_CHARGE.get(code, 1)
    if value < least:
        raise ApiError(
            400,
            f"Amount must be at least {least} in the smallest unit of {code}",
            code="amount_too_small",
            param="amount",
        )
