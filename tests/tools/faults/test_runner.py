"""A sample of `make faults`: real processes, real faults, and a verdict."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.library_tables import copy_database
from tools import embedded

SAMPLE = ("crash-intake", "redis-emptied", "gateway-reset", "webhook-forged")


@pytest.fixture
def prepared_home(library_tables: str, tmp_path: Path) -> Iterator[Path]:
    """A home whose database has all tables already: half a minute saved."""
    home = tmp_path / "home"
    with embedded.serving(home):
        copy_database(
            embedded.database_url(settings.STOREFRONT_HOME, library_tables),
            embedded.database_url(home),
        )
    yield home
    embedded.stop(home)


@pytest.mark.journey
def test_the_shop_survives_a_sample_of_faults_and_the_report_says_so(
    prepared_home: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    words = ["--seed", "7", "--rate", "8", "--only", ",".join(SAMPLE)]
    words += ["--report", str(report), "--home", str(prepared_home)]
    done = subprocess.run(
        [sys.executable, "-m", "tools.faults", *words],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((report / "report.json").read_text())
    assert [(row["name"], row["verdict"]) for row in found["rows"]] == [
        (name, "green") for name in SAMPLE
    ]
    assert found["totals"]["orders_accepted"] == len((report / "accepted.txt").read_text().split())
    assert found["totals"]["orders_accepted"] > 0
    assert (found["totals"]["orders_lost"], found["totals"]["orders_doubled"]) == (0, 0)
    page = (report / "index.html").read_text()
    assert all(name in page for name in SAMPLE)


def test_a_name_that_is_no_fault_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.faults", "--only", "earthquake"],
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no such fault: earthquake" in done.stdout
