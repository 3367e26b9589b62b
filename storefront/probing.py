"""A database connection for those who ask how the shop is, outside the shoppers' pool."""

import psycopg
from django.db import connections

PROBE_SECONDS = 2


def open_connection() -> "psycopg.Connection[tuple]":
    """Autocommit, to the shop's database; neither connecting nor a statement waits for long."""
    limits = f"-c statement_timeout={PROBE_SECONDS}s -c lock_timeout={PROBE_SECONDS}s"
    parameters = connections["default"].get_connection_params() | {
        "connect_timeout": PROBE_SECONDS,
        "options": limits,
    }
    return psycopg.connect(**parameters, autocommit=True)
