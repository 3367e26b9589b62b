"""Log files of the embedded servers: private, bounded, and searched for the cause of a failure."""

import contextlib
from pathlib import Path

LOG_BYTES_MAX = 10_000_000


def private_folder(path: Path) -> Path:
    """The folder `path`, made where it is missing, closed to other users either way."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(0o700)
    return path


def log_file(home: Path, name: str) -> Path:
    """The log `name` of `home`, made where it is missing, readable by its owner only."""
    path = private_folder(home / "logs") / f"{name}.log"
    if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
        path.replace(path.with_suffix(".log.1"))
    path.touch(mode=0o600)
    for file in (path, path.with_suffix(".log.1")):
        with contextlib.suppress(FileNotFoundError):
            file.chmod(0o600)
    return path


def failure_line(path: Path, since: int, *signs: str) -> str:
    """The last line of `path` after byte `since` with one of `signs` in it, else the last line."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(since)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines()]
        lines = [line for line in lines if line]
        matching = [line for line in lines if any(sign in line for sign in signs)]
        return (matching or lines or ["no output"])[-1]
    return "no output"
