"""Databases of the embedded PostgreSQL: connected to, created from a template, dropped."""

from pathlib import Path

import psycopg
from psycopg import sql

from tools.embedded.paths import DATABASE, database_url


def connect(home: Path | str, name: str = DATABASE) -> "psycopg.Connection[tuple]":
    """An autocommit psycopg connection to database `name` of the embedded server."""
    return psycopg.connect(database_url(home, name), autocommit=True, connect_timeout=5)


def ensure_database(home: Path | str, name: str, *, template: str = "template1") -> bool:
    """Create database `name` as a copy of `template` unless it exists; True when it is new."""
    with connect(home, "postgres") as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        if found.fetchone():
            return False
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return True


def drop_database(home: Path | str, name: str) -> None:
    """Drop database `name`; open connections to it are ended."""
    with connect(home, "postgres") as connection:
        statement = "DROP DATABASE IF EXISTS {} WITH (FORCE)"
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
