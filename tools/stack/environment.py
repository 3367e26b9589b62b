"""The environment that all processes of a stack start with."""

import os
from collections.abc import Mapping
from pathlib import Path

from tools.stack.leftovers import MARK
from tools.stack.ports import Ports


def stack_environment(home: Path, ports: Ports, overrides: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, then `overrides`, then what a stack in `home` must have."""
    own = {
        "STOREFRONT_HOME": str(home),
        "PORT": str(ports.edge),
        "LIVE_PORT": str(ports.live),
        "SANDBOX_PORT": str(ports.sandbox),
        "DJANGO_SETTINGS_MODULE": "storefront.settings",
        "PYTHONUNBUFFERED": "1",
        # A process that is ended for its silence (SIGABRT) writes the stacks of all its threads.
        "PYTHONFAULTHANDLER": "1",
        # In a container every user is root; eight lines of Celery's warning say nothing new.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
        MARK: str(home),
        # Web and live trust the client's address that the edge passes on. Only the edge reaches
        # them: they listen on a unix socket and on the loopback interface.
        "BEHIND_EDGE": "1",
    }
    return {"DEBUG": "1"} | os.environ | dict(overrides) | own


def host_name(environment: Mapping[str, str]) -> str:
    """A host name that the shop answers to."""
    first = environment.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    return first or "127.0.0.1"
