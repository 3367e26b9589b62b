"""From changed files to the test files that stand for them.

Folders are matched by their names, so that a new room needs no entry here: `apps/<room>/<part>` is
tested by tests/<room>/<part> or tests/<room>, `<folder>/<part>` likewise by tests/<part> or
tests/<folder>. What belongs to no room (settings, requirements, fixtures of all tests) is tested by
a sample: the smallest test file of each room.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.groups import group_of, starts_a_shop

DURATIONS = Path(".pytest_cache") / "seconds-by-file.json"  # written by tests/conftest.py
SECONDS_PER_TEST = 0.2  # of a file that was never run here
IN_ALL_ROOMS = ("settings", "settings.py", "urls.py")  # of the project, not of an app
NOT_TESTED = {".md", ".svg", ".png", ".txt", ".lock"}


@dataclass(frozen=True)
class Plan:
    """`chosen` fit into the time, in the order to run them. `late` do not; `shops` start shops."""

    chosen: list[str]
    late: list[str]
    shops: list[str]


def plan(changed: list[str], *, project: Path, seconds: float) -> Plan:
    """The test files for `changed`, as many as run in `seconds`; the changed ones come first."""
    files, known = files_for(changed, project), _durations(project)
    shops = [file for file in files if starts_a_shop(group_of(file))]
    ordered = sorted(
        (file for file in files if file not in shops),
        key=lambda file: (file not in changed, expected(file, project, known)),
    )
    chosen, late, spent = [], [], 0.0
    for file in ordered:
        spent += expected(file, project, known)
        (chosen if spent <= seconds else late).append(file)
    return Plan(chosen, late, shops)


def files_for(changed: list[str], project: Path) -> list[str]:
    """Every test file that stands for one of `changed`, sorted."""
    found: set[str] = set()
    for path in changed:
        file = Path(path)
        if _is_test(file):
            found |= {path} if (project / file).exists() else set()
        elif file.suffix in NOT_TESTED:
            continue
        else:
            room = room_of(file, project)
            found |= _tests_in(room, project) if room else set()
            found |= _sample(project) if room is None or _is_in_all_rooms(file) else set()
    return sorted(found)


def room_of(file: Path, project: Path) -> Path | None:
    """The deepest folder of tests that mirrors the folder of `file`; None for no room's file."""
    folder = file.parent
    inner = Path(*folder.parts[1:])
    for whole in (inner, folder):
        for candidate in (whole, *whole.parents):
            if candidate.parts and (project / "tests" / candidate).is_dir():
                return Path("tests") / candidate
    return None


def expected(file: str, project: Path, known: dict[str, float]) -> float:
    """Seconds that a test file takes: as the last time, or by the number of its tests."""
    if file in known:
        return known[file]
    return SECONDS_PER_TEST * len(re.findall(r"^\s*def test_", (project / file).read_text(), re.M))


def _durations(project: Path) -> dict[str, float]:
    file = project / DURATIONS
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _is_test(file: Path) -> bool:
    return file.parts[:1] == ("tests",) and file.name.startswith("test_") and file.suffix == ".py"


def _is_in_all_rooms(file: Path) -> bool:
    return len(file.parts) > 1 and file.parts[1] in IN_ALL_ROOMS


def _tests_in(room: Path, project: Path) -> set[str]:
    return {str(file.relative_to(project)) for file in (project / room).rglob("test_*.py")}


def _sample(project: Path) -> set[str]:
    """The smallest test file of each room that starts no shop."""
    sample = set()
    for room in sorted((project / "tests").iterdir()):
        files = _tests_in(room.relative_to(project), project) if room.is_dir() else set()
        quick = [file for file in files if not starts_a_shop(group_of(file))]
        if quick:
            sample.add(min(quick, key=lambda file: ((project / file).stat().st_size, file)))
    return sample
