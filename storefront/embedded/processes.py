"""Processes and their last words: who runs, how one is ended, as whom PostgreSQL runs."""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from storefront.embedded.places import EmbeddedError, Say, socket_folder

STOP_PATIENCE = timedelta(seconds=60)
LOG_BYTES_MAX = 10_000_000


def command_line(pid: int) -> str:
    """The words of process `pid`, or nothing when it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return words.replace(b"\0", b" ").decode(errors="replace")


def runs(pid: int) -> bool:
    """Whether `pid` is alive; a zombie, whose command line is empty, has ended."""
    return command_line(pid) != ""


def all_pids() -> Iterator[int]:
    return (int(entry) for entry in os.listdir("/proc") if entry.isdigit())


def log_file(home: Path, name: str) -> Path:
    path = home / "logs" / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    return path


def last_words(path: Path, since: int, *signs: str) -> str:
    """The last line that tells of trouble in `path` after byte `since`, else its last line."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(since)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        lines = [line for line in lines if line]
        telling = [line for line in lines if any(sign in line for sign in signs)]
        return (telling or lines or ["it said nothing"])[-1]
    return "it said nothing"


def end(
    pid: int,
    what: str,
    how: signal.Signals,
    *,
    say: Say,
    patience: timedelta = STOP_PATIENCE,
) -> None:
    """Ask process `pid` to go, and make it go when it does not."""
    for sign, limit in ((how, patience), (signal.SIGKILL, timedelta(seconds=10))):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
            os.kill(pid, signal.SIGCONT)  # a frozen process hears nothing but SIGKILL
        if within(limit, lambda: not runs(pid)):
            return
        say(f"{what} (pid {pid}) did not stop within {limit.seconds} s")
    raise EmbeddedError(f"{what} (pid {pid}) cannot be stopped")


def within(patience: timedelta, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + patience.total_seconds()
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def package_folders(name: str) -> list[Path]:
    """Where package `name` lies, without importing it: only its binaries are wanted."""
    spec = find_spec(name)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose processes PostgreSQL's are. It refuses to run as root, so root lends it another."""

    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def choose(cls, data: Path) -> "Account":
        if os.geteuid() != 0:
            if data.exists() and data.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"{data} belongs to another user (uid {data.stat().st_uid}): run as that user "
                    "or choose another STOREFRONT_HOME"
                )
            return cls(uid=os.geteuid(), gid=os.getegid(), borrowed=False)
        if data.exists() and data.stat().st_uid != 0:
            return cls(uid=data.stat().st_uid, gid=data.stat().st_gid, borrowed=True)
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(uid=entry.pw_uid, gid=entry.pw_gid, borrowed=True)
        raise EmbeddedError("PostgreSQL refuses root, and this machine has no user `nobody`")

    def run(self, argv: Sequence[str | Path], *reached: Path, **options: object) -> int:
        """Run `argv` to its end as this account; `reached` are the paths that it must get to."""
        command = [str(part) for part in argv]
        as_user: dict[str, object] = {}
        if self.borrowed and all(_open_to_all(path) for path in reached):
            as_user = {"user": self.uid, "group": self.gid, "extra_groups": []}
        elif self.borrowed:
            # The project lies where only root may look. Opening such folders to
            # everybody would be worse than letting this one process tree pass through them.
            if shutil.which("setpriv") is None:
                raise EmbeddedError(
                    f"only root may enter {reached[0].parent}, and PostgreSQL refuses root: "
                    "move the project, or install `setpriv` (util-linux)"
                )
            # no_setuid_fixup: access(2), which initdb asks about `postgres`, counts the privilege.
            privileges = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
            privileges += ["--securebits=+no_setuid_fixup"]
            ids = [f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
            command = ["setpriv", *ids, *privileges, "--", *command]
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
            **as_user,
            **options,
        ).returncode

    def give(self, path: Path) -> None:
        if self.borrowed:
            os.chown(path, self.uid, self.gid)


def _open_to_all(path: Path) -> bool:
    """Whether any user may reach `path` (its own folder's rights included)."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def socket_folder_for(account: Account, home: Path) -> Path:
    """The sockets' folder, closed to other users: whoever reaches a socket is superuser."""
    run = socket_folder(home)
    run.mkdir(mode=0o700, exist_ok=True)
    owner = run.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in (os.geteuid(), account.uid):
        raise EmbeddedError(f"{run} belongs to someone else: remove it, or shorten STOREFRONT_HOME")
    run.chmod(0o700)
    account.give(run)
    return run
