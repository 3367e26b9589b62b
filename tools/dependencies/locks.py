"""Whether the locks agree with the lists of direct dependencies.

`requirements.txt` and `requirements-dev.txt` are written by people: direct dependencies,
pinned, one line of why each. `make lock` turns each into a lock beside it: every package that is
needed, with the digests of its files. What is installed is the lock. Both are read here without a
network:

* a direct dependency is `name[extras]==version` and nothing else;
* each of them is in the lock in that version, and the lock has none that nothing requires;
* each entry of a lock has one version and at least one SHA-256;
* the checks' lock holds all of the shop's lock: what is tested is what runs;
* no address is in a lock: the installing machine decides where packages come from.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,. -]+\])?==(?P<version>[\w.+!-]+)")
ENTRY = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[\w.+!-]+)(?: ; [^\\]+?)?(?: \\)?")
DIGEST = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


@dataclass(slots=True)
class Entry:
    """One package of a lock."""

    name: str
    version: str
    digests: int = 0
    asked_for_by: set[str] = field(default_factory=set)


def normal(name: str) -> str:
    """The name as all spellings of it are compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def direct(text: str) -> tuple[dict[str, str], list[str]]:
    """(version by name, lines that pin nothing) of a list of direct dependencies."""
    found: dict[str, str] = {}
    wrong = []
    for line in text.splitlines():
        asked = line.partition(" #")[0].strip()
        if not asked or asked.startswith("#") or re.fullmatch(r"-r requirements\.txt", asked):
            continue
        match = PINNED.fullmatch(asked)
        if match is None:
            wrong.append(asked)
        else:
            found[normal(match["name"])] = match["version"]
    return found, wrong


def locked(text: str) -> tuple[list[Entry], list[str]]:
    """(entries, lines that are none) of a lock."""
    entries: list[Entry] = []
    wrong = []
    for line in text.splitlines():
        if DIGEST.fullmatch(line) and entries:
            entries[-1].digests += 1
        elif line.startswith("    #"):
            source = line.strip("# ").removeprefix("via").strip()
            if source.startswith("-r ") and entries:
                entries[-1].asked_for_by.add(source.removeprefix("-r ").strip())
        elif match := ENTRY.fullmatch(line):
            entries.append(Entry(normal(match["name"]), match["version"]))
        elif line.strip() and not line.startswith("#"):
            wrong.append(line)
    return entries, wrong


def complaints(folder: Path = PROJECT) -> Iterator[str]:
    """A line for each disagreement; none when the locks agree with the lists."""
    shop, shop_lock = _read(folder, "requirements")
    checks, checks_lock = _read(folder, "requirements-dev")
    yield from _compare("requirements", shop, shop_lock)
    yield from _compare("requirements-dev", {**shop, **checks}, checks_lock)
    tested = {(entry.name, entry.version) for entry in locked(checks_lock)[0]}
    for entry in locked(shop_lock)[0]:
        if (entry.name, entry.version) not in tested:
            yield f"requirements-dev.lock: {entry.name} is not {entry.version} as in the shop's"
    for name in ("requirements", "requirements-dev"):
        for line in direct((folder / f"{name}.txt").read_text())[1]:
            yield f"{name}.txt: not pinned: {line}"


def _read(folder: Path, name: str) -> tuple[dict[str, str], str]:
    return (
        direct((folder / f"{name}.txt").read_text())[0],
        (folder / f"{name}.lock").read_text(),
    )


def _compare(name: str, wanted: dict[str, str], lock: str) -> Iterator[str]:
    entries, wrong = locked(lock)
    for line in wrong:
        yield f"{name}.lock: not an entry with a digest: {line.strip()}"
    if "://" in lock:
        yield f"{name}.lock: an address stands in it"
    for entry in entries:
        if not entry.digests:
            yield f"{name}.lock: no digest for {entry.name}"
        if entry.asked_for_by and entry.name not in wanted:
            yield f"{name}.lock: {entry.name} is not asked for any more"
    versions: dict[str, set[str]] = {}
    for entry in entries:
        versions.setdefault(entry.name, set()).add(entry.version)
    for package, version in wanted.items():
        if versions.get(package) != {version}:
            held = ", ".join(sorted(versions.get(package, ()))) or "nothing"
            yield f"{name}.lock: {package} should be {version}, there is {held}"
