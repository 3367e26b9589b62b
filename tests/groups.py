"""What a test file shares with others, read from its text.

Not from pytest's own collection: who hands out the tests of a parallel run does not collect them,
and `make quick` must know before it starts anything.
"""

from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parent
SHARED_SHOP = "live_stack"
FOLDER_FIXTURE = 'scope="package"'
STARTS_A_SHOP = (SHARED_SHOP, FOLDER_FIXTURE, "pytest.mark.journey", "import Stack")


@cache
def group_of(path: str) -> str:
    """The group of the test file at `path` (from the project's folder).

    That is its own path, the path of its folder when fixtures belong to the whole folder, or
    SHARED_SHOP when it uses the running shop of tests/conftest.py.
    """
    file = TESTS.parent / path
    fixtures = "".join(_text(folder / "conftest.py") for folder in _folders(file))
    if SHARED_SHOP in fixtures + _text(file):
        return SHARED_SHOP
    return path.rpartition("/")[0] if FOLDER_FIXTURE in fixtures else path


@cache
def starts_a_shop(group: str) -> bool:
    """Whether the tests of a group start processes of the shop, and wait for them."""
    if group == SHARED_SHOP:
        return True
    place = TESTS.parent / group
    text = _text(place) if place.is_file() else _text(place / "conftest.py")
    return any(sign in text for sign in STARTS_A_SHOP)


def _folders(file: Path) -> list[Path]:
    """The folders between tests/ and the file."""
    return [folder for folder in file.parents if folder != TESTS and folder.is_relative_to(TESTS)]


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
