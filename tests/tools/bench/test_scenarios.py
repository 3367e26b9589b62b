"""A short `make bench`: that everything in it works and the books hold, not how fast it is."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tools import embedded

# The ones that reach everything that the others are made of: pgbench, wrk evenly and at once,
# members' tokens, workers at work, open pages.
SAMPLE = ("raw", "accept", "finish", "live")


@pytest.mark.journey
def test_a_short_run_measures_all_it_was_asked_for_and_writes_its_report(
    library_tables: str, tmp_path: Path
) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed (apt-get install wrk)")
    embedded.drop_database(settings.STOREFRONT_HOME, "bench")
    embedded.ensure_database(settings.STOREFRONT_HOME, "bench", template=library_tables)
    database = embedded.database_url(settings.STOREFRONT_HOME, "bench")
    report = tmp_path / "report"
    words = ["--quick", "--only", ",".join(SAMPLE)]
    words += ["--report", str(report), "--home", str(tmp_path / "home")]
    code, said = run(words, env=os.environ | {"DATABASE_URL": database})
    assert code == 0, said
    found: dict[str, Any] = json.loads((report / "results.json").read_text())
    assert found["failed"] == {}
    rows = {one["name"]: one["rows"] for one in found["scenarios"]}
    assert set(rows) == set(SAMPLE)
    assert all(row["per_second"] > 0 for row in (*rows["raw"], *rows["accept"]))
    assert "one hot SKU, signed in" in [row["goods"] for row in rows["accept"]]
    assert all(row["confirmed_p99"] > 0 for row in rows["finish"])
    assert rows["live"][0]["pushes"] >= rows["live"][0]["pages"]
    assert "Orders accepted" in (report / "index.html").read_text()


def test_an_unknown_scenario_is_refused_before_anything_starts(tmp_path: Path) -> None:
    code, said = run(["--only", "haste", "--home", str(tmp_path / "home")], env=os.environ)
    assert code == 2
    assert "no such scenario: haste" in said
    assert not (tmp_path / "home" / "postgres").exists()


def run(words: list[str], *, env: Mapping[str, str]) -> tuple[int, str]:
    """The exit code and output of `python -m tools.bench`; stopped with its shop when it hangs."""
    with subprocess.Popen(
        [sys.executable, "-m", "tools.bench", *words],
        cwd=settings.BASE_DIR,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as bench:
        try:
            said, _ = bench.communicate(timeout=600)
        except BaseException:
            bench.terminate()
            raise
    return bench.returncode, said
