"""Countries of the world (ISO 3166-1 alpha-2, and XK for Kosovo: settings.COUNTRIES_OVERRIDE)."""

import functools

from django_countries import countries


@functools.cache
def names() -> dict[str, str]:
    """English name by code, in alphabetical order of names."""
    return {code: str(name) for code, name in countries}


def choices() -> list[tuple[str, str]]:
    """`(code, name)` for a form."""
    return list(names().items())
