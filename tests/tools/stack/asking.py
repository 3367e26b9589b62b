"""Call a view without a server, and Redis servers that do not answer."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import RequestFactory

from tools.embedded.redis_server import redis_pid


def ask(view, method: str = "get", **meta: str):
    return view(getattr(RequestFactory(), method)("/", **meta))


@contextmanager
def frozen(*names: str) -> Iterator[None]:
    """While this lasts, these Redis servers do not answer."""
    pids = [redis_pid(settings.STOREFRONT_HOME, name) for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
