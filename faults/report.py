"""The page about a run."""

from typing import Any


def render(record: dict[str, Any]) -> str:
    return "<!doctype html><title>Faults</title>"
