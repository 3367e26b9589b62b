"""`python -m tools.quick`: exit code 0 when all that ran is well, 1 when not."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.quick.changes import PROJECT, changed_files
from tools.quick.rooms import Plan, plan

LIMIT = 90.0  # seconds, for everything
STARTING = 25.0  # seconds of it until pytest's first test: imports, PostgreSQL, tables
ENDING = 10.0  # seconds of it after pytest's last test began
BIN = Path(sys.executable).parent


class Check:
    """A program that runs beside the tests; what it says is shown when they are through."""

    def __init__(self, name: str, *words: str) -> None:
        self.name = name
        # Not a pipe: one that is not read would stop the program.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [BIN / words[0], *words[1:]],
            cwd=PROJECT,
            env=os.environ | {"DEBUG": "1"},
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )

    def verdict(self, deadline: float) -> str:
        """One of "well", "wrong", or "left out" when it has not ended at `deadline` (Unix time)."""
        try:
            code = self._process.wait(timeout=max(0.0, deadline - time.time()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "left out"
        return "wrong" if code else "well"

    def said(self) -> str:
        self._said.seek(0)
        return self._said.read().strip()


def main() -> int:
    began = time.time()
    changed = changed_files()
    tests = plan(changed, project=PROJECT, seconds=LIMIT - STARTING - ENDING)
    say(f"{len(changed)} files changed; {len(tests.chosen)} test files for them")
    checks = started([path for path in changed if (PROJECT / path).exists()])
    wrong = []
    if tests.chosen and not tests_pass(tests.chosen, deadline=began + LIMIT - ENDING):
        wrong.append("tests")
    missing = left_out(tests)
    for check in checks:
        verdict = check.verdict(deadline=began + LIMIT)
        say(f"{check.name}: {verdict}")
        if verdict == "wrong":
            wrong.append(check.name)
            say(check.said())
        elif verdict == "left out":
            missing.append(f"left to make check, since the time was over: {check.name}")
    for line in missing:
        say(line)
    result = f"wrong: {', '.join(wrong)}" if wrong else "what ran is well"
    say(f"{time.time() - began:.0f} s: {result}")
    return 1 if wrong else 0


def started(changed: list[str]) -> list[Check]:
    """Types of everything; style of the changed files, and imports, where Python was changed."""
    checks = [Check("types", "mypy")]
    if python := [path for path in changed if path.endswith(".py")]:
        checks += [
            Check("ruff check", "ruff", "check", "--force-exclude", *python),
            Check("ruff format", "ruff", "format", "--force-exclude", "--check", *python),
            Check("imports", "lint-imports", "--no-logo"),
        ]
    return checks


def tests_pass(files: list[str], *, deadline: float) -> bool:
    """Run the test files; those that would begin after `deadline` (Unix time) are skipped."""
    words = ["-m", "pytest", "-q", "-p", "tools.quick.deadline", *files]
    environment = os.environ | {"QUICK_DEADLINE": str(deadline)}
    done = subprocess.run([sys.executable, *words], cwd=PROJECT, env=environment, check=False)
    return done.returncode == 0


def left_out(tests: Plan) -> list[str]:
    """What `make test` would run for the same change, in words."""
    lines = []
    if tests.shops:
        lines.append(f"left to make test, since they start a shop: {' '.join(tests.shops)}")
    if tests.late:
        lines.append(f"left to make test, since the time is short: {' '.join(tests.late)}")
    return lines


def say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
