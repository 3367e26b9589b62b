"""Points at which a process dies on purpose, to show that dying there is harmless.

    reach("saga", "capture_payment", "undo", "before_commit")

A point costs an empty call unless FAILPOINTS names a folder, which the settings allow on a
developer's machine only. There a point is armed by a file of its name:

    arm(folder, "intake.after_commit")                the next process that gets there dies
    arm(folder, "saga.notify.do.before_commit", 2)    and so does the one after it
    arm(folder, "…", action="freeze")                 stopped instead (SIGSTOP), until SIGCONT

A process takes a token by renaming it, so that each token ends one process. Taken tokens stay in
the folder as evidence (`struck`). Modules declare their points (`declare`), so that a test suite
finds them without a list of its own.
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

FOLDER: Final = os.environ.get("FAILPOINTS", "")
KILL, FREEZE = "kill", "freeze"
_SIGNALS = {KILL: signal.SIGKILL, FREEZE: signal.SIGSTOP}
_declared: dict[str, None] = {}


def declare(area: str, *points: str) -> None:
    """Name the points of one area: `declare("intake", "before_commit", "after_commit")`."""
    _declared.update(dict.fromkeys(f"{area}.{point}" for point in points))


def declared() -> Iterable[str]:
    """Every point of the modules that are imported, in the order of their declaration."""
    return tuple(_declared)


def _pass(*parts: str) -> None:
    """Failpoints are off."""


def _die_if_armed(*parts: str) -> None:
    name = ".".join(parts)
    if name not in _declared:
        raise LookupError(f"failpoint {name} is not declared: no test would find it")
    for token in sorted(Path(FOLDER).glob(f"{name}.armed-*")):
        action = token.read_text() if token.exists() else KILL
        try:
            token.rename(token.with_name(f"{name}.struck-{token.name[-1]}-{os.getpid()}"))
        except FileNotFoundError:
            continue  # another process took it
        os.kill(os.getpid(), _SIGNALS[action])


reach = _die_if_armed if FOLDER else _pass


# --- For tests -----------------------------------------------------------------------------------


def arm(folder: Path, name: str, times: int = 1, *, action: str = KILL) -> None:
    """Let the next `times` (at most 9) processes that reach `name` die, or freeze."""
    for number in range(1, times + 1):
        draft = folder / f"{name}.draft-{number}"
        draft.write_text(action)
        draft.rename(folder / f"{name}.armed-{number}")


def disarm(folder: Path) -> None:
    """Take back every token, and forget what was struck."""
    for token in folder.iterdir():
        token.unlink(missing_ok=True)


def struck(folder: Path, name: str) -> list[int]:
    """The ids of the processes that died, or froze, at `name`."""
    return [int(path.name.rpartition("-")[2]) for path in sorted(folder.glob(f"{name}.struck-*"))]
