"""Reads environment variables; a malformed value raises an error that names the variable."""

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

env = environ.Env()


def is_set(name: str) -> bool:
    """Whether the variable has a value; an empty one counts as unset."""
    return bool(env.ENVIRON.get(name))


def read(name: str, parse: Callable[[str], Any], default: Any) -> Any:
    """The variable `name` as `parse` understands it, or `default` when it is unset or empty.

    Raises ImproperlyConfigured, with one line that begins with `name`, for a value that `parse`
    refuses by ValueError or TypeError.
    """
    if not is_set(name):
        return default
    try:
        return parse(env.ENVIRON[name])
    except (ValueError, TypeError) as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def switch(value: str) -> bool:
    """on or off, in the usual spellings."""
    words = {"1": True, "on": True, "true": True, "yes": True}
    words |= {"0": False, "off": False, "false": False, "no": False}
    if value.strip().lower() not in words:
        raise ValueError(f"expected on or off, got {value!r}")
    return words[value.strip().lower()]


def port(value: str) -> int:
    if not value.isdigit() or not 0 < int(value) < 65536:
        raise ValueError(f"expected a port from 1 to 65535, got {value!r}")
    return int(value)


def count(value: str) -> int:
    """A whole number from 0."""
    if not value.isdigit():
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def seconds(*, most: int) -> Callable[[str], int]:
    """Reads a duration: a whole number of seconds from 0 to `most`."""

    def parse(value: str) -> int:
        if not (value.isascii() and value.isdigit()) or len(value) > 9 or int(value) > most:
            raise ValueError(f"expected whole seconds from 0 to {most}, got {value!r}")
        return int(value)

    return parse


def positive_count(value: str) -> int:
    """A whole number from 1."""
    if not value.isdigit() or int(value) == 0:
        raise ValueError(f"expected a whole number from 1, got {value!r}")
    return int(value)


def comma_list(value: str) -> list[str]:
    """The parts between commas, without spaces around them and without empty ones."""
    return [part.strip() for part in value.split(",") if part.strip()]


def networks(value: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses or networks, separated by commas, in the spelling of `ipaddress`."""
    return [ipaddress.ip_network(part) for part in comma_list(value)]


def long_secrets(value: str) -> list[str]:
    """Secrets of at least 50 characters, separated by commas."""
    found = comma_list(value)
    if any(len(secret) < 50 for secret in found):
        raise ValueError("expected secrets of at least 50 characters, by comma")
    return found


def one_of(*choices: str) -> Callable[[str], str]:
    """A parser that accepts these words only."""

    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}, got {value!r}")
        return value

    return check


def url(*schemes: str) -> Callable[[str], str]:
    """A parser that accepts URLs of these schemes only."""

    def check(value: str) -> str:
        if urlsplit(value).scheme not in schemes:
            raise ValueError(f"expected a URL with scheme {' or '.join(schemes)}")
        return value

    return check
