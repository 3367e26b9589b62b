"""Output stops no process: full disks, closed and sleeping terminals, bytes without end."""

import io
import os
import re
import stat
import threading
from pathlib import Path

import pytest

from tests.waiting import until
from tools.stack.output import (
    LogFile,
    lines_of,
    private_folder,
    rotate_in_place,
)
from tools.stack.terminal import LINES_WAITING_MAX, Terminal

# More than a pipe holds, then a sign that nothing was in the way.
TALKATIVE = (
    "import pathlib, time\n"
    "for number in range(20_000): print('line', number, flush=False)\n"
    "print('done', flush=True)\n"
    "pathlib.Path('done').touch()\n"
    "while not pathlib.Path('space').exists(): time.sleep(0.02)\n"
    "print('after', flush=True)\n"
    "time.sleep(600)"
)


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """No Redis is needed here."""


def test_a_full_disk_stops_no_process_and_what_was_lost_is_counted(
    keep, said: list[str], tmp_path: Path
) -> None:
    log = tmp_path / "kettle.log"
    log.symlink_to("/dev/full")
    keep(TALKATIVE)
    until((tmp_path / "done").exists)
    until(lambda: "done" in said[-1:])
    log.unlink()  # there is room again
    (tmp_path / "space").touch()
    until(lambda: log.exists() and "after" in log.read_text())
    assert log.read_text() == "[20001 lines could not be written here]\nafter\n"


def test_a_listener_that_fails_stops_no_process(keep, tmp_path: Path) -> None:
    def broken_pipe(name: str, line: str) -> None:
        raise BrokenPipeError

    keep(TALKATIVE, on_line=broken_pipe)
    until((tmp_path / "done").exists)
    until(lambda: "done" in (tmp_path / "kettle.log").read_text())


def test_an_endless_line_is_cut_and_bytes_without_sense_are_shown(keep, tmp_path: Path) -> None:
    lines: list[str] = []
    keep(
        "import sys, time\n"
        "out = sys.stdout.buffer\n"
        "for _ in range(400): out.write(b'x' * 100_000)\n"
        "out.write(b'\\nnext \\xff\\xfe\\n\\x1b[2Jcleared\\n'); out.flush()\n"
        "time.sleep(600)",
        on_line=lambda name, line: lines.append(line),
    )
    until(lambda: len(lines) == 3)
    assert lines == ["x" * 8192 + " …", "next ��", "\\x1b[2Jcleared"]


def read_all(written: bytes, **options: int) -> list[str]:
    reading, writing = os.pipe()
    os.write(writing, written)
    os.close(writing)
    try:
        return list(lines_of(reading, **options))
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("written", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\n\nlast without end", ["one", "", "last wit …"]),
        (b"exactly8\nninechars\nx\n", ["exactly8", "ninechar …", "x"]),
        (b"tab\tstays\r\n", ["tab\tstay …"]),
        ("é\n".encode(), ["é"]),
    ],
)
def test_lines_are_whole_and_bounded(written: bytes, lines: list[str]) -> None:
    assert read_all(written, limit=8) == lines


def test_a_log_is_its_owners_alone_from_the_start_and_bounded(tmp_path: Path) -> None:
    private_folder(tmp_path / "logs")
    log = LogFile(tmp_path / "logs" / "web.log", limit=1000, backups=2)
    before = os.umask(0)
    try:
        for number in range(200):
            log.write(f"{number:03} " + "x" * 46)
    finally:
        os.umask(before)
    files = sorted((tmp_path / "logs").iterdir())
    assert [file.name for file in files] == ["web.log", "web.log.1", "web.log.2"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    assert all(file.stat().st_size <= 1000 for file in files)
    assert files[0].read_text().splitlines()[-1].startswith("199 ")


def test_a_log_that_another_process_writes_is_shortened_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "postgres.log"
    with path.open("ab", buffering=0) as server:
        for round_ in range(4):
            server.write(bytes([ord("a") + round_]) * 1000)
            assert rotate_in_place(path, limit=1000, backups=2)
        server.write(b"new")
        assert not rotate_in_place(path, limit=1000, backups=2)
    contents = {file.name: file.read_bytes()[:3] for file in tmp_path.iterdir()}
    assert contents == {
        "postgres.log": b"new",
        "postgres.log.1": b"ddd",
        "postgres.log.2": b"ccc",
    }


class Screen(io.StringIO):
    """A terminal that can be closed and opened again."""

    closed_by_person = False

    def write(self, text: str) -> int:
        if self.closed_by_person:
            raise BrokenPipeError
        return super().write(text)


def test_a_closed_terminal_is_survived_and_told_of(tmp_path: Path) -> None:
    screen = Screen()
    terminal = Terminal(width=4, output=screen)
    terminal.show("web", "one")
    until(lambda: "one" in screen.getvalue())
    screen.closed_by_person = True
    terminal.show("web", "two")
    terminal.show("web", "three")
    until(lambda: terminal.lost == 2)
    screen.closed_by_person = False
    terminal.show("web", "four")
    assert terminal.close()
    words = [line.partition("| ")[2] for line in screen.getvalue().splitlines()]
    assert words == ["one", "[2 lines were not shown here]", "four"]


def test_nothing_waits_for_a_terminal_that_takes_nothing() -> None:
    """`make run | less`, or Ctrl-S: the pipe is full, and the shop goes on."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as screen, os.fdopen(reading, "rb") as person:
        terminal = Terminal(width=4, output=screen)
        talking = threading.Thread(
            target=lambda: [terminal.show("web", "x" * 100) for _ in range(LINES_WAITING_MAX * 2)],
            daemon=True,
        )
        talking.start()
        talking.join(timeout=10)
        assert not talking.is_alive()
        assert not terminal.close(patience=0.1)
        os.set_blocking(person.fileno(), False)
        seen = b""

        def all_is_seen() -> bool:
            nonlocal seen
            seen += person.read() or b""
            return terminal.close(patience=0.01)

        until(all_is_seen)
        seen += person.read() or b""
        lost = sum(map(int, re.findall(rb"\[(\d+) lines were not shown here\]", seen)))
        assert lost + terminal.lost == LINES_WAITING_MAX * 2 - seen.count(b"x" * 100)
        assert lost + terminal.lost > 0
