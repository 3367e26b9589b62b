"""`make quick`: which test files stand for a change, and what is left out."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.quick import __main__ as quick
from tools.quick.changes import PROJECT, changed_files
from tools.quick.rooms import Plan, expected, files_for, plan, room_of

TREE = {
    "apps/kettles/boil.py": "",
    "apps/kettles/lids/fit.py": "",
    "apps/mugs/paint.py": "",
    "shop/settings.py": "",
    "shop/money.py": "",
    "tools/stack/run.py": "",
    "docs/mugs.md": "",
    "tests/conftest.py": "",
    "tests/kettles/test_boil.py": "def test_hot(): ...\n" * 10,
    "tests/kettles/lids/test_fit.py": "def test_tight(): ...\n",
    "tests/mugs/test_paint.py": "def test_blue(): ...\n",
    "tests/mugs/test_firing.py": "def test_hot(): ...\n" * 100,
    # In two parts, or this file itself would be taken for one that starts a shop.
    "tests/tools/stack/test_run.py": "from tools.stack import" + " Stack\ndef test_runs(): ...\n",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small shop with three rooms."""
    for name, text in TREE.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.setattr("tests.groups.TESTS", tmp_path / "tests")
    monkeypatch.setattr("tools.quick.rooms.group_of", lambda path: str(tmp_path / path))
    return tmp_path


@pytest.mark.parametrize(
    ("file", "room"),
    [
        ("apps/kettles/boil.py", "tests/kettles"),
        ("apps/kettles/lids/fit.py", "tests/kettles/lids"),
        ("apps/kettles/spouts/pour.py", "tests/kettles"),
        ("templates/mugs/page.html", "tests/mugs"),
        ("tools/stack/run.py", "tests/tools/stack"),
        ("tests/kettles/lids/conftest.py", "tests/kettles/lids"),
        ("shop/money.py", None),
        ("pyproject.toml", None),
    ],
)
def test_room_is_found_by_the_names_of_folders(project: Path, file: str, room: str | None) -> None:
    assert room_of(Path(file), project) == (Path(room) if room else None)


def test_change_of_a_room_takes_all_its_tests(project: Path) -> None:
    assert files_for(["apps/kettles/boil.py"], project) == [
        "tests/kettles/lids/test_fit.py",
        "tests/kettles/test_boil.py",
    ]


def test_changed_test_stands_for_itself_and_a_deleted_one_for_nothing(project: Path) -> None:
    changed = ["tests/mugs/test_paint.py", "tests/mugs/test_gone.py"]

    assert files_for(changed, project) == ["tests/mugs/test_paint.py"]


def test_change_of_no_room_takes_the_smallest_file_of_each(project: Path) -> None:
    for file in (
        *("shop/settings.py", "shop/settings/redis.py", "pyproject.toml"),
        *("tests/conftest.py", "manage.py"),
    ):
        assert files_for([file], project) == [
            "tests/kettles/lids/test_fit.py",
            "tests/mugs/test_paint.py",
        ], file


def test_text_for_people_takes_no_test(project: Path) -> None:
    assert files_for(["docs/mugs.md"], project) == []


def test_files_that_start_a_shop_are_left_out_by_name(project: Path) -> None:
    found = plan(["tools/stack/run.py"], project=project, seconds=60)

    assert found == Plan(chosen=[], late=[], shops=["tests/tools/stack/test_run.py"])
    assert quick.left_out(found) == [
        "left to make test, since they start a shop: tests/tools/stack/test_run.py"
    ]


def test_what_would_take_too_long_is_left_out_by_name(project: Path) -> None:
    found = plan(["apps/mugs/paint.py"], project=project, seconds=10)

    assert (found.chosen, found.late) == (
        ["tests/mugs/test_paint.py"],
        ["tests/mugs/test_firing.py"],
    )
    assert quick.left_out(found) == [
        "left to make test, since the time is short: tests/mugs/test_firing.py"
    ]


def test_changed_test_comes_first_however_long_it_takes(project: Path) -> None:
    changed = ["apps/mugs/paint.py", "tests/mugs/test_firing.py"]

    found = plan(changed, project=project, seconds=60)

    assert found.chosen == ["tests/mugs/test_firing.py", "tests/mugs/test_paint.py"]


def test_file_takes_as_long_as_the_last_time(project: Path) -> None:
    file = "tests/kettles/test_boil.py"

    assert expected(file, project, {file: 7.5}) == 7.5
    assert expected(file, project, {}) == pytest.approx(2.0)


def test_changes_are_commits_since_the_base_and_what_is_not_committed(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=Alice", "-c", "user.email=alice@example.com"]
        subprocess.run(["git", *identity, *words], cwd=tmp_path, check=True, capture_output=True)

    def commit(name: str) -> None:
        (tmp_path / name).write_text("kettle")
        git("add", name)
        git("commit", "--message", name)

    git("init", "--initial-branch=main")
    commit("old.py")
    git("checkout", "-b", "work")
    commit("committed.py")
    (tmp_path / "old.py").write_text("mug")
    (tmp_path / "new.py").write_text("")

    assert changed_files(tmp_path) == ["committed.py", "new.py", "old.py"]


@pytest.mark.parametrize(("deadline", "outcome"), [("0", "2 skipped"), ("99999999999", "2 passed")])
def test_late_tests_are_skipped_and_counted(tmp_path: Path, deadline: str, outcome: str) -> None:
    (tmp_path / "test_two.py").write_text("def test_one(): ...\ndef test_two(): ...\n")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tools.quick.deadline", "-p", "no:django"],
        cwd=tmp_path,
        env=os.environ | {"QUICK_DEADLINE": deadline, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert outcome in ran.stdout
    assert ("left to make test: 2 tests" in ran.stdout) == (deadline == "0")


@pytest.mark.parametrize(("code", "verdict"), [("0", "well"), ("3", "wrong")])
def test_check_that_fails_is_shown_with_what_it_said(code: str, verdict: str) -> None:
    check = quick.Check("kettle", "python", "-c", f"print('steam'); raise SystemExit({code})")

    assert check.verdict(time.time() + 60) == verdict
    assert check.said() == "steam"


def test_check_that_takes_too_long_is_left_out() -> None:
    check = quick.Check("kettle", "python", "-c", "import time; time.sleep(600)")

    assert check.verdict(time.time()) == "left out"
