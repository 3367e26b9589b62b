"""A message is written once per order and kind, in the transaction of its event."""

import threading
from uuid import uuid4

import pytest
from django.db import connection, transaction

from apps.backoffice.decision_log import ReasonMissing
from apps.core import dispatch
from apps.notifications import outbox
from apps.notifications.errors import NotDead
from apps.notifications.models import Notification
from apps.notifications.outbox import Message

pytestmark = pytest.mark.django_db
State = Notification.State


@pytest.fixture
def enqueued(monkeypatch):
    names = []
    monkeypatch.setattr(dispatch, "enqueue_on_commit", names.append)
    return names


def a_message(order_id=None, kind="order_confirmed", subject="Thank you"):
    return Message(order_id or uuid4(), kind, "alice@example.com", subject, "Two mugs.\n")


def a_dead_letter():
    outbox.put([a_message()])
    Notification.objects.update(state=State.DEAD, attempts=8, last_error="550 no such user")
    return Notification.objects.get()


def test_a_message_waits_in_its_row(enqueued, django_capture_on_commit_callbacks):
    message = a_message()

    with django_capture_on_commit_callbacks(execute=True):
        assert outbox.put([message]) == 1
        assert enqueued == []  # not before the commit

    row = Notification.objects.get()
    assert (row.order_id, row.kind, row.to) == (message.order_id, message.kind, message.to)
    assert (row.subject, row.body) == ("Thank you", "Two mugs.\n")
    assert (row.state, row.attempts, row.sent_at) == (State.DUE, 0, None)
    assert row.due_at == row.created_at
    assert enqueued == ["notifications.deliver"]


def test_a_step_that_runs_twice_writes_one_message(enqueued, django_capture_on_commit_callbacks):
    order_id = uuid4()
    outbox.put([a_message(order_id)])

    with django_capture_on_commit_callbacks(execute=True):
        assert outbox.put([a_message(order_id, subject="Thank you again")]) == 0

    assert Notification.objects.get().subject == "Thank you"
    assert enqueued == []


def test_two_kinds_of_one_order_are_two_messages():
    order_id = uuid4()

    assert outbox.put([a_message(order_id), a_message(order_id, kind="order_shipped")]) == 2


def test_the_same_message_twice_in_one_batch_is_one():
    message = a_message()

    assert outbox.put([message, message]) == 1


def test_a_batch_is_one_statement(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert outbox.put([a_message() for _ in range(200)]) == 200
    with django_assert_num_queries(0):
        assert outbox.put([]) == 0


def test_a_rolled_back_message_is_not_sent(enqueued, django_capture_on_commit_callbacks):
    class Undone(Exception):
        pass

    with django_capture_on_commit_callbacks(execute=True):
        with pytest.raises(Undone), transaction.atomic():
            outbox.put([a_message()])
            raise Undone

    assert not Notification.objects.exists()
    assert enqueued == []


def test_a_dead_letter_is_sent_again_with_name_and_reason(
    enqueued, caplog, django_capture_on_commit_callbacks
):
    message = a_dead_letter()

    with django_capture_on_commit_callbacks(execute=True), caplog.at_level("INFO"):
        outbox.replay(message, actor="clerk@example.com", reason=" mailbox is there again ")

    assert (message.state, message.attempts) == (State.DUE, 0)
    assert message.resolution == "mailbox is there again"
    assert message.resolved_by == "clerk@example.com"
    assert message.resolved_at is not None
    assert enqueued == ["notifications.deliver"]
    assert "retry by [e-mail]: mailbox is there again" in caplog.text  # the name is in the table


def test_a_dead_letter_is_closed_unsent_with_name_and_reason():
    message = a_dead_letter()

    outbox.dismiss(message, actor="clerk@example.com", reason="told them by telephone")

    assert message.state == State.DEAD
    assert message.resolution == "told them by telephone"
    assert message.resolved_at is not None
    with pytest.raises(NotDead):
        outbox.replay(message, actor="clerk@example.com", reason="changed my mind")


@pytest.mark.parametrize("act", [outbox.replay, outbox.dismiss])
@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("who", ""), (" ", " ")])
def test_a_decision_needs_a_name_and_a_reason(act, actor, reason):
    message = a_dead_letter()

    with pytest.raises(ReasonMissing):
        act(message, actor=actor, reason=reason)

    message.refresh_from_db()
    assert (message.state, message.resolution) == (State.DEAD, "")


@pytest.mark.parametrize("state", [State.DUE, State.SENT])
def test_only_dead_letters_are_sent_again(state):
    message = a_dead_letter()
    Notification.objects.update(state=state)

    with pytest.raises(NotDead):
        outbox.replay(message, actor="clerk@example.com", reason="again, please")

    message.refresh_from_db()
    assert (message.state, message.attempts) == (state, 8)


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_of_two_concurrent_replays_one_succeeds(enqueued):
    a_dead_letter()
    outcomes = []
    start = threading.Barrier(2)

    def replay(actor):
        message = Notification.objects.get()  # both still see it dead
        start.wait()
        try:
            outbox.replay(message, actor=actor, reason="again")
            outcomes.append(actor)
        except NotDead:
            outcomes.append("too late")
        finally:
            connection.close()

    threads = [threading.Thread(target=replay, args=[name]) for name in ("alice", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes.count("too late") == 1
    assert Notification.objects.get().resolved_by in outcomes


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_two_workers_write_overlapping_batches_without_a_deadlock(enqueued):
    batch = [a_message() for _ in range(100)]
    written = []
    start = threading.Barrier(2)

    def put(messages):
        start.wait()
        try:
            with transaction.atomic():
                written.append(outbox.put(messages))
        finally:
            connection.close()

    threads = [threading.Thread(target=put, args=[m]) for m in (batch, batch[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(written) == [0, 100]
