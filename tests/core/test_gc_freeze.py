"""What a process has loaded is excluded from garbage collection."""

import subprocess
import sys

import pytest
from celery.signals import worker_process_init

from apps.core import gc_freeze

COUNT = """
import gc
import {module}
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


@pytest.mark.parametrize("module", ["storefront.wsgi", "storefront.asgi"])
def test_server_has_frozen_what_it_loaded(module: str) -> None:
    counted = subprocess.run(
        [sys.executable, "-c", COUNT.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )

    frozen, collectable = map(int, counted.stdout.split())
    assert frozen > 100_000
    assert collectable < frozen / 100


def test_worker_freezes_in_each_of_its_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(gc_freeze, "freeze_loaded_objects", lambda: called.append(1))

    worker_process_init.send(sender=None)

    assert called == [1]
