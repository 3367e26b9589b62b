"""The home of the embedded servers: made, locked, and taken over from an earlier release."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from tools.embedded import older_release
from tools.embedded.logs import private_folder
from tools.embedded.paths import EmbeddedError, Say
from tools.embedded.shutdown import stop_servers


def prepare_home(home: Path | str, *, say: Say) -> Path:
    """Make `home` ready for this release; an older one is put aside. Returns its absolute path.

    Safe to repeat; where nothing is to do it costs one small file that is read. Raises
    EmbeddedError when the home cannot be used.
    """
    home = make_folders(home)
    if older_release.is_stamped(home):
        return home
    with exclusively(home):
        if older_release.is_older(home):
            older_release.require_unused(home)
            stop_servers(home, say=say)
            older_release.put_aside(home, say=say)
            make_folders(home)
        older_release.stamp(home)
    return home


def make_folders(home: Path | str) -> Path:
    """The absolute path of `home`, with its logs' folder and its lock. Raises EmbeddedError."""
    home = Path(home).resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
        private_folder(home / "logs")
        (home / "lock").touch()
    except OSError as error:
        why = f": {error.strerror.lower()}" if error.strerror else ""
        raise EmbeddedError(f"STOREFRONT_HOME {home} cannot be used{why}") from error
    return home


@contextlib.contextmanager
def exclusively(home: Path) -> Iterator[None]:
    """One process at a time starts or stops; without this two would run initdb side by side."""
    with (home / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
