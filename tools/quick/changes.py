"""Which files a change touches: commits since the base, uncommitted and new files."""

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
BASES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")


def changed_files(project: Path = PROJECT) -> list[str]:
    """Paths from the project's folder, sorted; files that were deleted are among them."""
    base = _base(project)
    committed = _git(project, "diff", "--name-only", f"{base}...HEAD") if base else []
    uncommitted = _git(project, "diff", "--name-only", "HEAD")
    new = _git(project, "ls-files", "--others", "--exclude-standard")
    return sorted({*committed, *uncommitted, *new})


def _base(project: Path) -> str:
    """The first branch of BASES that exists; empty when there is none."""
    for name in BASES:
        if _git(project, "rev-parse", "--verify", "--quiet", name):
            return name
    return ""


def _git(project: Path, *words: str) -> list[str]:
    """The lines that git prints; none when it fails."""
    done = subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []
