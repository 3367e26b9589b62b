"""The sandbox gateway as a running process, and a listener for its webhooks."""

from tests.payments.conftest import (
    client,
    committed_database,
    gateway,
    listener,
    sandbox,
    sandbox_process,
    shop,
)

__all__ = [
    "client",
    "committed_database",
    "gateway",
    "listener",
    "sandbox",
    "sandbox_process",
    "shop",
]
