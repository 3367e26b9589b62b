"""Homes for the tests of the embedded servers."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import embedded
from tools.embedded import serving


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """These tests have servers of their own; the session's are not needed."""


@pytest.fixture(scope="module")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that ran once and was stopped properly; copy it, do not use it."""
    home = tmp_path_factory.mktemp("finished") / "home"
    with serving(home):
        with embedded.connect(home) as connection:
            connection.execute("CREATE TABLE mugs (name text)")
            connection.execute("INSERT INTO mugs VALUES ('blue mug')")
    return home


@pytest.fixture
def home(finished_home: Path, tmp_path: Path) -> Iterator[Path]:
    """Yesterday's home: one table with one mug in it, nothing running."""
    home = tmp_path / "home"
    shutil.copytree(finished_home, home, ignore=shutil.ignore_patterns("*.sock"))
    owner = (finished_home / "postgres").stat()
    for path in (home / "postgres", *(home / "postgres").rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    yield home
    embedded.stop(home)


@pytest.fixture
def said() -> list[str]:
    return []
