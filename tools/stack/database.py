"""Runs bootstrap.py as a process of its own, with its output in the log `prepare.log`."""

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tools import embedded
from tools.stack.errors import StackError
from tools.stack.output import LogFile, lines_of
from tools.stack.process_table import BOOTSTRAP_REFUSED


def prepare_database(
    environment: Mapping[str, str],
    *,
    seed: bool,
    log: Path,
    on_line: Callable[[str, str], None],
) -> None:
    """Tables, webhook endpoint and, with `seed`, the demo catalog. Raises StackError.

    `on_line("prepare", line)` gets each line of its output.
    """
    argv = [sys.executable, "-m", "tools.stack.bootstrap"]
    process = subprocess.Popen(
        [*argv, "--seed"] if seed else argv,
        cwd=embedded.PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    log.unlink(missing_ok=True)
    file = LogFile(log)
    last = ""
    with process:
        assert process.stdout is not None
        try:
            for line in lines_of(process.stdout.fileno()):
                file.write(line)
                last = line.strip() or last
                on_line("prepare", line)
        except BaseException:
            process.kill()  # interrupted: the next start continues where this one stopped
            raise
        finally:
            file.close()
    if process.returncode != 0:
        why = last or "the database could not be prepared"
        refused = process.returncode == BOOTSTRAP_REFUSED
        raise StackError(why if refused else f"{why} (all of it in {log})")
