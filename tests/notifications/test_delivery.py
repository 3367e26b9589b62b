"""Delivery: each message once, with a limited number of retries after failures."""

import smtplib
import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from celery import current_app
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from apps.notifications import delivery, outbox, tasks
from apps.notifications.models import Notification
from apps.notifications.outbox import Message

pytestmark = pytest.mark.django_db
State = Notification.State


class Server(BaseEmailBackend):
    """A mail server: `behave` is called for each mail; `down` is raised for each connection."""

    behave = staticmethod(lambda message: None)
    down: Exception | None = None
    connections = 0
    accepted: list = []

    def open(self):
        if Server.down:
            raise Server.down
        if not getattr(self, "connected", False):
            self.connected = True
            Server.connections += 1
        return False

    def close(self):
        self.connected = False

    def send_messages(self, messages):
        for message in messages:
            Server.behave(message)
            Server.accepted.append(message)
        return len(messages)


@pytest.fixture
def server(settings, monkeypatch):
    settings.EMAIL_BACKEND = f"{__name__}.Server"
    monkeypatch.setattr(delivery, "get_connection", lambda: Server())
    monkeypatch.setattr(Server, "behave", staticmethod(lambda message: None))
    monkeypatch.setattr(Server, "down", None)
    monkeypatch.setattr(Server, "connections", 0)
    monkeypatch.setattr(Server, "accepted", [])
    return Server


@pytest.fixture
def longest_wait(monkeypatch):
    """Make the jitter return its maximum."""
    monkeypatch.setattr(delivery.random, "random", lambda: 1.0)


def put(to="alice@example.com", **fields):
    order_id = uuid4()
    outbox.put([Message(order_id, "order_confirmed", to, "Thank you", "Two mugs.\n")])
    if fields:
        Notification.objects.filter(order_id=order_id).update(**fields)
    return Notification.objects.get(order_id=order_id)


def seconds_until_due(row):
    return (
        Notification.objects.filter(pk=row.pk)
        .annotate(left=F("due_at") - Now())
        .values_list("left", flat=True)[0]
        .total_seconds()
    )


def refused(code, text=b"no"):
    return smtplib.SMTPRecipientsRefused({"alice@example.com": (code, text)})


def failing_with(error):
    def behave(message):
        raise error

    return staticmethod(behave)


def test_a_due_message_goes_out_once():
    row = put()

    assert delivery.deliver_due() == 1
    assert delivery.deliver_due() == 0

    (sent,) = mail.outbox
    assert (sent.to, sent.subject, sent.body) == (
        ["alice@example.com"],
        "Thank you",
        "Two mugs.\n",
    )
    assert sent.from_email == "Kettle & Pine <hello@kettleandpine.example>"
    row.refresh_from_db()
    assert (row.state, row.attempts, row.last_error) == (State.SENT, 1, "")
    assert row.sent_at is not None


def test_the_message_id_is_made_from_the_row():
    row = put()

    delivery.deliver_due()

    message_id = mail.outbox[0].message()["Message-ID"]
    assert message_id == f"<notification-{row.pk}@kettleandpine.example>"


def test_a_message_is_not_sent_before_it_is_due():
    put(due_at=Now() + timedelta(seconds=60))

    assert delivery.deliver_due() == 0
    assert mail.outbox == []


def test_a_batch_takes_one_connection(server):
    for _ in range(20):
        put()

    assert delivery.deliver_due() == 20
    assert server.connections == 1


def test_more_than_a_batch_goes_out_in_one_run(monkeypatch):
    monkeypatch.setattr(delivery, "BATCH", 3)
    for _ in range(10):
        put()

    assert delivery.deliver_due() == 10
    assert Notification.objects.filter(state=State.SENT).count() == 10


def test_a_refused_message_waits_and_the_others_are_sent(server, longest_wait):
    good, bad, other = put(), put(to="busy@example.com"), put()

    def behave(message):
        if message.to == ["busy@example.com"]:
            raise smtplib.SMTPDataError(451, b"greylisted")

    server.behave = staticmethod(behave)

    assert delivery.deliver_due() == 2

    bad.refresh_from_db()
    assert (bad.state, bad.attempts) == (State.DUE, 1)
    assert bad.last_error == "SMTPDataError: (451, b'greylisted')"
    assert 55 < seconds_until_due(bad) <= 60
    assert server.connections == 2  # a new one after the error
    for row in (good, other):
        row.refresh_from_db()
        assert row.state == State.SENT


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(0, 60), (1, 120), (2, 240), (5, 1_920), (6, 3_840)],
)
def test_the_wait_doubles(server, longest_wait, attempts, longest):
    server.behave = failing_with(refused(451))
    row = put(attempts=attempts)

    delivery.deliver_due()

    assert longest - 5 < seconds_until_due(row) <= longest


def test_the_wait_is_random_below_its_maximum(server, monkeypatch):
    monkeypatch.setattr(delivery.random, "random", lambda: 0.25)
    server.behave = failing_with(refused(451))
    row = put()

    delivery.deliver_due()

    assert 10 < seconds_until_due(row) <= 15


def test_the_eighth_failure_is_the_last(server, caplog):
    server.behave = failing_with(refused(451))
    row = put(attempts=7, resolution="again", resolved_by="clerk", resolved_at=Now())

    delivery.deliver_due()

    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.DEAD, 8)
    assert row.last_error.startswith("SMTPRecipientsRefused")
    # An open case again, although staff had replayed it once.
    assert (row.resolution, row.resolved_by, row.resolved_at) == ("", "", None)
    assert "dead letter" in caplog.text


def test_a_permanently_refused_recipient_is_not_tried_again(server):
    server.behave = failing_with(refused(550))
    row = put()

    delivery.deliver_due()

    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.DEAD, 1)


def test_an_impossible_address_is_not_tried_again():
    row = put(to="alice\nbcc: bob@example.com")

    delivery.deliver_due()

    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.DEAD, 1)
    assert mail.outbox == []


def test_an_outage_makes_no_dead_letters(server, longest_wait):
    rows = [put(attempts=1) for _ in range(3)]
    server.down = ConnectionRefusedError("no route to mail")

    for _ in range(20):
        assert delivery.deliver_due() == 0
        Notification.objects.update(due_at=Now())

    server.down = None
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.attempts) == (State.DUE, 1)
        assert row.last_error == "ConnectionRefusedError: no route to mail"
    assert delivery.deliver_due() == 3


def test_during_an_outage_messages_wait_a_minute_at_most(server, longest_wait):
    row = put()
    server.down = ConnectionRefusedError("no route to mail")

    delivery.deliver_due()

    assert 55 < seconds_until_due(row) <= 60


def test_an_outage_in_the_middle_of_a_batch_keeps_what_was_sent(server):
    rows = [put() for _ in range(3)]

    def behave(message):
        if len(server.accepted) == 1:
            server.down = ConnectionRefusedError("gone")
            raise smtplib.SMTPServerDisconnected("gone")

    server.behave = staticmethod(behave)

    delivery.deliver_due()

    states = sorted(Notification.objects.values_list("state", "attempts"))
    # One was sent, one failed, the third was never tried.
    assert states == [(State.DUE, 0), (State.DUE, 1), (State.SENT, 1)]
    assert len(rows) == 3


def test_messages_of_a_dead_worker_are_sent_by_the_next():
    row = put()
    # The state after a claim.
    Notification.objects.update(attempts=1, due_at=Now() + delivery.LEASE)

    assert delivery.deliver_due() == 0
    Notification.objects.update(due_at=Now())  # the lease is over
    assert delivery.deliver_due() == 1

    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.SENT, 2)


def test_a_message_that_kills_workers_is_claimed_alone():
    poison, neighbour = put(attempts=2, crashed_claims=2), put(attempts=2, crashed_claims=2)
    assert delivery._claim(limit=50, crashed=False) == []

    first = delivery._claim(limit=1, crashed=True)

    assert [claimed.id for claimed in first] == [poison.pk]
    assert delivery.deliver_due() == 1
    neighbour.refresh_from_db()
    assert neighbour.state == State.SENT


def test_a_message_that_killed_eight_workers_is_given_up():
    row = put(attempts=8)

    assert delivery.deliver_due() == 0

    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.DEAD, "worker lost while sending")
    assert mail.outbox == []


def test_a_batch_that_takes_too_long_releases_the_rest(server, monkeypatch):
    rows = [put() for _ in range(3)]
    clock = [0.0]
    monkeypatch.setattr(delivery.time, "monotonic", lambda: clock[0])

    def behave(message):
        clock[0] += delivery.LEASE.total_seconds()

    server.behave = staticmethod(behave)

    assert delivery.deliver_due(at_most=timedelta(seconds=1)) == 1

    assert sorted(Notification.objects.values_list("state", "attempts")) == [
        (State.DUE, 0),
        (State.DUE, 0),
        (State.SENT, 1),
    ]
    assert len(rows) == 3


def test_sent_mail_is_marked_while_others_are_being_sent(server, monkeypatch):
    for _ in range(3):
        put()
    clock = [0.0]
    monkeypatch.setattr(delivery.time, "monotonic", lambda: clock[0])
    written = []

    def behave(message):
        written.append(Notification.objects.filter(state=State.SENT).count())
        clock[0] += 1.0

    server.behave = staticmethod(behave)

    delivery.deliver_due(at_most=timedelta(seconds=30))

    assert written == [0, 1, 2]


def test_sent_mail_is_marked_even_when_the_claim_was_lost(server):
    row = put()

    def behave(message):
        # The lease ran out; another worker claimed it meanwhile.
        Notification.objects.update(attempts=F("attempts") + 1)

    server.behave = staticmethod(behave)

    delivery.deliver_due()

    row.refresh_from_db()
    assert row.state == State.SENT


def test_a_failure_counts_only_while_the_claim_is_ours(server, longest_wait):
    row = put()

    def behave(message):
        Notification.objects.update(state=State.SENT)  # by another worker
        raise refused(550)

    server.behave = staticmethod(behave)

    delivery.deliver_due()

    row.refresh_from_db()
    assert (row.state, row.last_error) == (State.SENT, "")


def test_the_task_has_the_name_that_dispatch_and_beat_use():
    put()

    tasks.deliver()

    assert tasks.deliver.name == outbox.DELIVER == "notifications.deliver"
    assert tasks.deliver.name in current_app.tasks
    assert len(mail.outbox) == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_workers_send_each_mail_once(server, monkeypatch):
    monkeypatch.setattr(delivery, "BATCH", 5)
    for _ in range(60):
        put()

    run_in_threads(4, delivery.deliver_due)

    keys = [message.extra_headers["Message-ID"] for message in server.accepted]
    assert len(keys) == len(set(keys)) == 60
    assert Notification.objects.filter(state=State.SENT, attempts=1).count() == 60


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_the_claim_workers_send_it_many_times(server):
    """The control of the test above: select what is due, send, write."""
    for _ in range(20):
        put()
    start = threading.Barrier(4)

    def deliver_without_claim():
        due = list(Notification.objects.filter(state=State.DUE))
        start.wait()
        for row in due:
            server.accepted.append(row.pk)
            Notification.objects.filter(pk=row.pk).update(state=State.SENT)

    run_in_threads(4, deliver_without_claim)

    assert len(server.accepted) == 80
    assert len(set(server.accepted)) == 20


def run_in_threads(count, work):
    failures = []

    def run():
        try:
            work()
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
