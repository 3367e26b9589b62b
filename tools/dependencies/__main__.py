"""`python -m tools.dependencies check | licences | sbom FILE` (see the Makefile)."""

import json
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

from tools.dependencies import licences, locks
from tools.dependencies.locks import PROJECT, locked, normal


def check() -> int:
    """Print every complaint; exit code 1 when there is one."""
    found = list(chain(locks.complaints(), licences.complaints()))
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print("After a change of a list: make lock, then make licences", file=sys.stderr)
    return bool(found)


def write_licences() -> int:
    """Write docs/licences.md."""
    entries = locked((PROJECT / "requirements.lock").read_text())[0]
    rows = licences.table(entries, licences.installed(entries))
    licences.PAGE.write_text(licences.page(rows))
    return 0


def sbom(target: Path) -> int:
    """Write the shop's bill of materials: CycloneDX 1.6, of what is installed here of its lock."""
    program = [str(Path(sys.executable).with_name("cyclonedx-py")), "environment", sys.executable]
    options = ["--output-reproducible", "--sv", "1.6", "--of", "JSON", "--output-file", "-"]
    made = subprocess.run([*program, *options], check=True, capture_output=True)
    entries = locked((PROJECT / "requirements.lock").read_text())[0]
    bill = only(json.loads(made.stdout), {entry.name for entry in entries})
    target.write_text(json.dumps(bill, indent=2) + "\n")
    return 0


def only(bill: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """The bill without the development tools of the same environment."""
    components = [c for c in bill["components"] if normal(c["name"]) in names]
    kept = {component["bom-ref"] for component in components}
    dependencies = [
        {**entry, "dependsOn": [ref for ref in entry["dependsOn"] if ref in kept]}
        if "dependsOn" in entry
        else entry
        for entry in bill.get("dependencies", [])
        if entry["ref"] in kept
    ]
    return {**bill, "components": components, "dependencies": dependencies}


def main(arguments: list[str]) -> int:
    match arguments:
        case ["check"]:
            return check()
        case ["licences"]:
            return write_licences()
        case ["sbom", target]:
            return sbom(Path(target))
        case _:
            print(__doc__, file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
