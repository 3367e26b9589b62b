"""What a process has loaded is not looked through again: no crowd waits for a full collection."""

import subprocess
import sys

import pytest
from celery.signals import worker_process_init

from storefront import heap

COUNT = """
import gc
import {module}
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


@pytest.mark.parametrize("module", ["storefront.wsgi", "storefront.asgi"])
def test_server_has_put_away_what_it_loaded(module: str) -> None:
    counted = subprocess.run(
        [sys.executable, "-c", COUNT.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )

    put_away, looked_through = map(int, counted.stdout.split())
    assert put_away > 100_000
    assert looked_through < put_away / 100


def test_worker_puts_away_in_each_of_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(heap, "keep_what_is_loaded", lambda: called.append(1))

    worker_process_init.send(sender=None)

    assert called == [1]
