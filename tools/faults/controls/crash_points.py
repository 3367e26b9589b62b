"""Arms the named points at which processes kill or freeze themselves (apps/core/failpoints.py)."""

import contextlib
import os
import signal
from pathlib import Path

from apps.core import failpoints


class CrashPoints:
    """The points whose tokens lie in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def arm(self, point: str, times: int = 1) -> None:
        """The next `times` processes that reach `point` kill themselves."""
        failpoints.arm(self.folder, point, times)

    def arm_to_freeze(self, point: str) -> None:
        """The next process that reaches `point` stops itself (SIGSTOP)."""
        failpoints.arm(self.folder, point, 1, action=failpoints.FREEZE)

    def disarm(self) -> None:
        """Take back the points that no process has reached; the others stay as evidence."""
        for token in [*self.folder.glob("*.armed-*"), *self.folder.glob("*.draft-*")]:
            token.unlink(missing_ok=True)

    def armed(self) -> list[str]:
        return sorted({file.name.rpartition(".")[0] for file in self.folder.glob("*.armed-*")})

    def struck(self) -> dict[str, list[int]]:
        """Each point that was reached since the run began, and the processes that reached it."""
        names = {file.name.rpartition(".")[0] for file in self.folder.glob("*.struck-*")}
        return {name: failpoints.struck(self.folder, name) for name in sorted(names)}

    def thaw(self) -> None:
        """SIGCONT for every process that stopped itself at a point."""
        for pids in self.struck().values():
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)
