"""Sessions are those of Django's cached_db, written by one statement."""

from typing import Any

import pytest
from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core import sessions
from apps.core.sessions import SessionStore

pytestmark = pytest.mark.django_db


def test_new_session_is_one_statement() -> None:
    session = SessionStore()
    session["count"] = 2

    with CaptureQueriesContext(connection) as asked:
        session.save()

    assert len(asked) == 1
    assert Session.objects.get(pk=session.session_key).get_decoded() == {"count": 2}


def test_changed_session_is_one_statement() -> None:
    session = SessionStore()
    session.create()
    session["count"] = 3

    with CaptureQueriesContext(connection) as asked:
        session.save()

    assert len(asked) == 1
    assert Session.objects.get(pk=session.session_key).get_decoded() == {"count": 3}


@pytest.mark.parametrize("from_redis", [True, False], ids=["Redis", "PostgreSQL"])
@pytest.mark.parametrize(
    ("writer", "reader"),
    [(SessionStore, cached_db.SessionStore), (cached_db.SessionStore, SessionStore)],
    ids=["Django reads", "Django writes"],
)
def test_session_is_the_same_for_django(writer: Any, reader: Any, from_redis: bool) -> None:
    session = writer()
    session["count"] = 4
    session.save()
    if not from_redis:
        cache.clear()

    assert reader(session.session_key)["count"] == 4


def test_session_that_was_signed_out_meanwhile_does_not_come_back() -> None:
    session = SessionStore()
    session.create()
    SessionStore(session.session_key).delete()
    session["count"] = 5

    with pytest.raises(UpdateError):
        session.save()

    assert not Session.objects.exists()
    assert SessionStore(session.session_key).load() == {}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    keys = ["a" * 32, "a" * 32, "b" * 32]
    monkeypatch.setattr(sessions, "get_random_string", lambda *_: keys.pop(0))
    return keys


def test_key_that_is_taken_is_drawn_again(drawn: list[str]) -> None:
    first, second = SessionStore(), SessionStore()
    for session in (first, second):
        session["whose"] = session is first
        session.save()

    assert second.session_key == "b" * 32
    assert SessionStore("a" * 32).load() == {"whose": True}
