"""Sessions as Django's `cached_db` keeps them (PostgreSQL, cached in Redis), written by one
statement.

Django asks twice whether a new key is taken, and writes inside a transaction of its own: seven
round trips for a visitor's first unit in the cart, where one will do. A key is 32 random characters
out of 36; should one ever be taken, the INSERT finds it, and another is drawn (`create`).
"""

from typing import Any

from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS, CreateError, UpdateError
from django.db import DatabaseError
from django.utils.crypto import get_random_string

from apps.core import sql

KEY_LENGTH = 32  # characters, as Django's

CREATE = """
    INSERT INTO django_session (session_key, session_data, expire_date) VALUES (%s, %s, %s)
    ON CONFLICT (session_key) DO NOTHING
"""
UPDATE = "UPDATE django_session SET session_data = %s, expire_date = %s WHERE session_key = %s"


class SessionStore(cached_db.SessionStore):
    """A visitor's session; the same rows, cache keys and signatures as cached_db."""

    def _get_new_session_key(self) -> str:
        return get_random_string(KEY_LENGTH, VALID_KEY_CHARS)

    def save(self, must_create: bool = False) -> None:
        """Write the session. Raises CreateError if its key is taken, UpdateError if it is gone."""
        if self.session_key is None:
            self.create()
            return
        data = self._get_session(no_load=must_create)  # type: ignore[attr-defined]
        self._write(self.session_key, self.encode(data), must_create=must_create)
        try:
            self._cache.set(self.cache_key, data, self.get_expiry_age())  # type: ignore[attr-defined]
        except Exception:
            cached_db.logger.exception("the session is in PostgreSQL only: Redis is away")

    def _write(self, key: str, encoded: str, *, must_create: bool) -> None:
        expires: Any = self.get_expiry_date()
        if must_create:
            if sql.run(CREATE, [key, encoded, expires]) == 0:
                raise CreateError
            return
        try:
            written = sql.run(UPDATE, [encoded, expires, key])
        except DatabaseError as error:
            raise UpdateError from error
        if written == 0:  # signed out in another request: it must not come back
            raise UpdateError
