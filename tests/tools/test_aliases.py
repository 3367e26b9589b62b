"""Commands that were documented under an earlier module name run the program of today."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture(autouse=True)
def empty_redis() -> None:
    """No Redis is needed to print a usage."""


def run(*argv: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *argv],
        cwd=settings.BASE_DIR,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("alias", "program"), [("bench", "tools.bench"), ("faults", "tools.faults")]
)
def test_the_short_name_prints_the_help_of_the_program(alias: str, program: str) -> None:
    done = run(alias, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(program, "--help").stdout != ""


def test_the_earlier_name_of_the_stack_takes_its_commands() -> None:
    done = run("storefront.stack", "no-such-command")
    assert done.returncode == 1
    assert done.stderr == "storefront: usage: python -m tools.stack [stop]\n"


def test_the_earlier_name_of_the_embedded_servers_prints_their_addresses(tmp_path: Path) -> None:
    done = run("storefront.embedded", "url", STOREFRONT_HOME=str(tmp_path))
    assert done.returncode == 0
    assert f"REDIS_URL=unix://{tmp_path}/run/redis.sock\n" in done.stdout


def test_the_earlier_name_of_the_bootstrap_checks_the_settings(tmp_path: Path) -> None:
    done = run(
        "storefront.stack.preparation",
        STOREFRONT_HOME=str(tmp_path),
        DJANGO_SETTINGS_MODULE="storefront.settings",
        PORT="eighty",
    )
    assert done.returncode == 3
    assert done.stdout == "PORT: expected a port from 1 to 65535, got 'eighty'\n"
