"""The user account that runs PostgreSQL, and the folder of its sockets."""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.embedded.paths import EmbeddedError, socket_folder


@dataclass(frozen=True, kw_only=True)
class Account:
    """The user that runs PostgreSQL. It refuses to run as root, so root starts it as another user.

    `borrowed` is True when this user is another one than the caller (who is root then).
    """

    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def choose(cls, data: Path) -> "Account":
        """The owner of the data folder `data`, else the caller, else `postgres` or `nobody`.

        Raises EmbeddedError when none of them can be used.
        """
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
        """Run `argv` as this user and return its exit code; `reached` are paths it must access."""
        command = [str(part) for part in argv]
        as_user: dict[str, object] = {}
        if self.borrowed and all(_open_to_all(path) for path in reached):
            as_user = {"user": self.uid, "group": self.gid, "extra_groups": []}
        elif self.borrowed:
            # The project lies in a folder that only root may enter. Opening it to all users
            # would be worse than letting this one process tree pass through it.
            if shutil.which("setpriv") is None:
                raise EmbeddedError(
                    f"only root may enter {reached[0].parent}, and PostgreSQL refuses root: "
                    "move the project, or install `setpriv` (util-linux)"
                )
            # no_setuid_fixup: initdb checks `postgres` with access(2), which ignores the
            # capability without it.
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
        """Make this user the owner of `path`, where that is another one than the caller."""
        if self.borrowed:
            os.chown(path, self.uid, self.gid)


def _open_to_all(path: Path) -> bool:
    """Whether any user may reach `path` (its own folder's rights included)."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def socket_folder_for(account: Account, home: Path) -> Path:
    """The sockets' folder, made and closed to other users: a client of the socket is superuser.

    Raises EmbeddedError when the folder belongs to another user.
    """
    run = socket_folder(home)
    run.mkdir(mode=0o700, exist_ok=True)
    owner = run.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid not in (os.geteuid(), account.uid):
        raise EmbeddedError(f"{run} belongs to someone else: remove it, or shorten STOREFRONT_HOME")
    run.chmod(0o700)
    account.give(run)
    return run
