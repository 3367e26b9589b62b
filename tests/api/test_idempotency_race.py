"""Two requests with one key at the same moment: one is done, the other is told to wait."""

import contextlib
import threading
from typing import Any

import pytest
from django.db import transaction

from apps.api import kept_answers, me
from apps.customers.models import Address
from tests.api.conftest import Api, problem
from tests.factories import ADDRESS, AddressFactory
from tests.threads import at_once

KEY = "one-key"


@pytest.fixture
def meeting(monkeypatch) -> threading.Barrier:
    """Both requests are in the middle of the work before either ends it; alone, one goes on."""
    barrier = threading.Barrier(2)
    create = me.addresses.create

    def slowly(*args: Any, **kwargs: Any) -> Any:
        made = create(*args, **kwargs)
        with contextlib.suppress(threading.BrokenBarrierError):
            barrier.wait(2)
        return made

    monkeypatch.setattr(me.addresses, "create", slowly)
    return barrier


def ask_twice(alice, keys: tuple[str, str]) -> list[Any]:
    clients = [Api().as_user(alice) for _ in keys]
    return at_once(2, lambda n: clients[n].post("/me/addresses/", ADDRESS, Idempotency_Key=keys[n]))


@pytest.fixture(autouse=True)
def no_book_lock(transactional_db, alice, monkeypatch) -> None:
    """The address book's own lock, and its first default, would let one request wait."""
    monkeypatch.setattr(me.addresses, "_lock_book", lambda user: None)
    AddressFactory(user=alice, is_default=True)


def test_two_at_once_make_one(alice, meeting):
    answers = ask_twice(alice, (KEY, KEY))

    codes = sorted(answer.status_code for answer in answers)
    assert codes == [201, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    problem(refused, 409, "idempotency_in_flight")
    assert int(refused["Retry-After"]) >= 1
    assert Address.objects.count() == 2  # one before

    later = Api().as_user(alice).post("/me/addresses/", ADDRESS, Idempotency_Key=KEY)
    assert later["Idempotent-Replayed"] == "true"
    assert Address.objects.count() == 2  # one before


def test_without_the_claim_both_would_be_at_work(alice, meeting, monkeypatch):
    monkeypatch.setattr(kept_answers, "claim", lambda name: True)
    at_work = []
    wait = meeting.wait
    monkeypatch.setattr(meeting, "wait", lambda timeout: at_work.append(1) or wait(timeout))

    ask_twice(alice, (KEY, KEY))

    assert len(at_work) == 2


def test_two_keys_do_not_wait_for_each_other(alice, meeting):
    answers = ask_twice(alice, ("one", "two"))

    assert [answer.status_code for answer in answers] == [201, 201]
    assert not meeting.broken


def test_claim_ends_with_its_transaction():
    name = kept_answers.name_of("user:1", "/api/v1/me/addresses/", KEY)

    def claimed_elsewhere() -> bool:
        def ask(_: int) -> bool:
            with transaction.atomic():
                return kept_answers.claim(name)

        return at_once(1, ask)[0]

    with transaction.atomic():
        assert kept_answers.claim(name)
        assert not claimed_elsewhere()
    assert claimed_elsewhere()
