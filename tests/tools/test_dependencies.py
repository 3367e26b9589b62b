"""What others wrote: locked, with digests, under licences that may be used."""

import re
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from tools.dependencies import __main__ as program
from tools.dependencies import licences, locks

DIGEST = "    --hash=sha256:" + "a" * 64
LISTS = {
    "requirements.txt": "# why\nkettle[steam]==1.0  # boils\nmug==2.0\n",
    "requirements-dev.txt": "-r requirements.txt\nthermometer==3.0\n",
    "requirements.lock": f"kettle==1.0 \\\n{DIGEST}\n    # via -r requirements.txt\n"
    f"mug==2.0 ; python_full_version < '3.12' \\\n{DIGEST} \\\n{DIGEST}\n"
    f"    # via\n    #   -r requirements.txt\n    #   kettle\nwater==0.1 \\\n{DIGEST}\n"
    "    # via kettle\n",
}
LISTS["requirements-dev.lock"] = (
    LISTS["requirements.lock"]
    + f"thermometer==3.0 \\\n{DIGEST}\n    # via -r requirements-dev.txt\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small shop's lists and locks, which agree."""
    for name, text in LISTS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_locks_of_the_shop_agree_with_its_lists() -> None:
    assert list(locks.complaints()) == []
    entries, _ = locks.locked((locks.PROJECT / "requirements.lock").read_text())
    assert len(entries) > 50


def test_small_shops_locks_agree(folder: Path) -> None:
    assert list(locks.complaints(folder)) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("requirements.txt", "mug==2.0", "mug==2.1", "mug should be 2.1, there is 2.0"),
        ("requirements.txt", "mug==2.0", "mug==2.0\njug==1", "jug should be 1, there is nothing"),
        ("requirements.txt", "mug==2.0", "", "mug is not asked for any more"),
        ("requirements.txt", "mug==2.0", "mug>=2.0", "not pinned: mug>=2.0"),
        ("requirements.txt", "mug==2.0", "mug", "not pinned: mug"),
        ("requirements.txt", "mug==2.0", "./mug", "not pinned: ./mug"),
        ("requirements.lock", f"water==0.1 \\\n{DIGEST}", "water==0.1", "no digest for water"),
        ("requirements.lock", "water==0.1 \\", "water>=0.1 \\", "not an entry with a digest"),
        ("requirements.lock", "mug==2.0", "--index-url https://x/\nmug==2.0", "an address stands"),
        ("requirements.lock", "water==0.1", "water==0.2", "water is not 0.2 as in the shop's"),
        ("requirements-dev.lock", "thermometer==3.0", "thermometer==4", "should be 3.0"),
    ],
)
def test_whatever_does_not_agree_is_named(
    folder: Path, name: str, old: str, new: str, said: str
) -> None:
    change(folder, name, old, new)

    assert any(said in line for line in locks.complaints(folder)), list(locks.complaints(folder))


def test_make_installs_the_locks_and_asks_for_digests() -> None:
    rules = (locks.PROJECT / "Makefile").read_text()

    written = re.findall(r"pip install (.*)", rules)
    installs = [words.removeprefix("--quiet ").rstrip(" \\") for words in written]
    assert installs == [
        "--require-hashes -r tests/clients/requirements.lock",
        "--require-hashes -r requirements.lock",
        "--require-hashes -r requirements-dev.lock",
    ]


# --- Licences -----------------------------------------------------------------------------------


def metadata(**fields: Any) -> Message:
    message = Message()
    for name, values in fields.items():
        for value in values if isinstance(values, list) else [values]:
            message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License_Expression": "MIT OR Apache-2.0", "License": "x"}, "MIT OR Apache-2.0"),
        ({"Classifier": ["License :: OSI Approved :: BSD License", "Topic :: Tea"]}, "BSD"),
        ({"Classifier": ["License :: OSI Approved"], "License": "BSD"}, "BSD"),
        ({"License": "All of its text, " * 20}, ""),
        ({}, ""),
    ],
)
def test_licence_is_read_wherever_a_package_names_it(fields: Any, licence: str) -> None:
    assert licences.declared(metadata(**fields)) == licence


@pytest.mark.parametrize(
    ("licence", "may"),
    [
        ("MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", True),
        ("LGPL-3.0-only", True),
        ("AGPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_licence_that_was_not_looked_at_may_not_be_used(licence: str, may: bool) -> None:
    assert licences.allowed(licence) is may


def test_page_of_licences_is_what_is_installed() -> None:
    assert list(licences.complaints()) == []
    said = licences.written(licences.PAGE.read_text())
    assert said["django"] == "BSD-3-Clause" and len(said) > 50


def test_unknown_and_forbidden_licences_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "docs").mkdir()
    (folder / "docs" / "licences.md").write_text(
        licences.page({"kettle": "MIT", "mug": "MIT", "spoon": "MIT"})
    )
    here = {"kettle": "MIT", "mug": "AGPL-3.0-only"}
    monkeypatch.setattr(licences, "installed", lambda _: here)

    assert list(licences.complaints(folder)) == [
        "mug: AGPL-3.0-only is not on the list of licences that may be used",
        "water: no licence is known; find it out and add it",
        "docs/licences.md: spoon is not used any more",
    ]


def test_bill_of_materials_leaves_the_tools_out() -> None:
    bill = {
        "specVersion": "1.6",
        "components": [
            {"name": "Kettle_One", "bom-ref": "k"},
            {"name": "thermometer", "bom-ref": "t"},
        ],
        "dependencies": [{"ref": "k", "dependsOn": ["t"]}, {"ref": "t"}],
    }

    kept = program.only(bill, {"kettle-one"})

    assert kept["components"] == [{"name": "Kettle_One", "bom-ref": "k"}]
    assert kept["dependencies"] == [{"ref": "k", "dependsOn": []}]
