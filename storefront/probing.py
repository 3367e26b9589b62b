"""A database connection for those who ask how the shop is, outside the shoppers' pool."""

import psycopg
from django.db import connections

PROBE_SECONDS = 2


def open_connection() -> "psycopg.Connection[tuple]":
    """Autocommit, to the shop's database; neither connecting nor a statement waits for long."""
    parameters = connections["default"].get_connection_params()
    address = ("dbname", "user", "password", "host", "port")
    return psycopg.connect(
        **{name: parameters[name] for name in address if name in parameters},
        autocommit=True,
        connect_timeout=PROBE_SECONDS,
        options=f"-c statement_timeout={PROBE_SECONDS}s -c lock_timeout={PROBE_SECONDS}s",
    )
