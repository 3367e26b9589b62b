"""One stack in a home at a time: a lock file that names the process which holds it."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tools.stack.errors import StackError


@contextlib.contextmanager
def only_stack_of(home: Path) -> Iterator[None]:
    """Lock `home` for the length of the block; the lock file contains this process's id.

    Raises StackError when another stack runs in `home`.
    """
    with (home / "stack.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackError(
                f"this shop runs already (pid {_holder(file)}, home {home}): "
                "`make stop` ends it, another STOREFRONT_HOME and PORT start a second one"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    return file.read().strip() or "unknown"


def running_pid(home: Path) -> int | None:
    """The process id of the stack that holds `home`, or None."""
    try:
        with (home / "stack.lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        with (home / "stack.lock").open() as file:
            holder = _holder(file)
        return int(holder) if holder.isdigit() else None
    return None
