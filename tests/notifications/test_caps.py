"""No mailbox gets more of a kind than its cap; staff can see what was suppressed."""

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core import mail
from django.db import connection, transaction
from django.db.models import F

from apps.core import dispatch
from apps.notifications import caps, delivery, messages, outbox
from apps.notifications.caps import CAPS, Candidate, Cap
from apps.notifications.models import Notification
from apps.notifications.outbox import Message
from apps.orders import email_moments
from tests.threads import at_once

pytestmark = pytest.mark.django_db
State = Notification.State


@pytest.fixture(autouse=True)
def nothing_enqueued(monkeypatch):
    monkeypatch.setattr(dispatch, "enqueue_on_commit", lambda name: None)


def put(kind="order_cancelled", to="alice@example.com", count=1):
    outbox.put([Message(uuid4(), kind, to, "Subject", "Body\n") for _ in range(count)])


def states():
    return list(Notification.objects.order_by("id").values_list("state", flat=True))


def time_passes(by: timedelta):
    Notification.objects.filter(admitted_at__isnull=False).update(admitted_at=F("admitted_at") - by)


def test_what_is_over_the_cap_is_suppressed_with_its_reason():
    put(count=7)

    assert delivery.deliver_due() == 5

    assert len(mail.outbox) == 5
    assert states() == [State.SENT] * 5 + [State.SUPPRESSED] * 2
    last = Notification.objects.latest("id")
    assert last.last_error == "over the cap of this mailbox: 5 in 1:00:00 of this kind"
    assert (last.mailbox, last.sent_at) == ("alice@example.com", None)
    assert delivery.deliver_due() == 0, "it is not sent later either"


def test_spellings_of_one_mailbox_share_its_cap():
    for to in (
        "alice@example.com",
        "ALICE@example.com",
        "alice+a@example.com",
        "Alice+b@Example.com",
    ):
        put(to=to, count=2)

    delivery.deliver_due()

    assert len(mail.outbox) == 5


def test_caps_are_per_mailbox_and_kind():
    put(count=6)
    put(to="bob@example.com", count=2)
    put(kind="return_received", count=12)

    delivery.deliver_due()

    assert len(mail.outbox) == 5 + 2 + 10


def test_the_confirmation_of_a_paid_order_has_no_cap():
    put(kind="order_confirmed", count=120)

    assert delivery.deliver_due() == 120


def test_an_hour_later_more_are_sent_until_the_cap_of_the_day():
    sent = []
    for _ in range(5):
        put(count=6)
        sent.append(delivery.deliver_due())
        time_passes(timedelta(hours=1, seconds=1))
    assert sent == [5, 5, 5, 0, 0]

    time_passes(timedelta(hours=20))
    put(count=6)
    assert delivery.deliver_due() == 5


def test_a_retry_does_not_count_as_a_second_mail(monkeypatch):
    put(count=5)
    monkeypatch.setattr(delivery, "_mail", lambda *_: 1 / 0)
    assert delivery.deliver_due() == 0
    monkeypatch.undo()
    monkeypatch.setattr(dispatch, "enqueue_on_commit", lambda name: None)
    Notification.objects.update(due_at="2020-01-01T00:00Z")

    assert delivery.deliver_due() == 5


def test_a_replayed_dead_letter_does_not_count_again():
    put(count=5)
    delivery.deliver_due()
    Notification.objects.filter(pk=Notification.objects.first().pk).update(state=State.DEAD)
    outbox.replay(Notification.objects.get(state=State.DEAD), actor="clerk", reason="again")

    assert delivery.deliver_due() == 1


def test_an_unlisted_kind_has_the_default_cap():
    put(kind="newsletter", count=9)

    assert delivery.deliver_due() == 3


def test_every_kind_has_caps_and_a_moment():
    assert messages.NEEDS.keys() == email_moments.NOT_BEFORE.keys()
    assert messages.NEEDS.keys() <= CAPS.keys()
    for kind, windows in CAPS.items():
        assert windows or email_moments.NOT_BEFORE[kind] is email_moments.Moment.PAID
        if windows:
            assert windows[-1].within == timedelta(days=1)
        assert list(windows) == sorted(windows, key=lambda cap: (cap.within, cap.amount))


def test_a_withheld_message_is_stored_and_never_due():
    withheld = Message(uuid4(), "order_cancelled", "a@example.com", "S", "B", withheld="too early")

    assert outbox.put([withheld]) == 1

    row = Notification.objects.get()
    assert (row.state, row.last_error) == (State.SUPPRESSED, "too early")
    assert delivery.deliver_due() == 0


# --- Two workers --------------------------------------------------------------------------------


def candidates():
    put(count=8)
    rows = Notification.objects.order_by("id").values_list("id", "kind", "to")
    return [Candidate(*row) for row in rows]


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_workers_at_once_admit_no_more_than_the_cap():
    waiting = candidates()

    admitted = at_once(len(waiting), lambda number: caps.admit([waiting[number]]))

    assert sum(map(len, admitted)) == 5
    assert sorted(states()) == [State.DUE] * 5 + [State.SUPPRESSED] * 3


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_each_worker_finds_the_last_place(monkeypatch):
    monkeypatch.setitem(CAPS, "order_cancelled", (Cap(1, timedelta(hours=1)),))
    first, second, *_ = candidates()
    both_counted = threading.Barrier(2)
    reached = caps._reached

    def counted(*about):
        both_counted.wait()
        return reached(*about)

    monkeypatch.setattr(caps, "_reached", counted)

    def unguarded(one):
        with transaction.atomic(), connection.cursor() as cursor:
            return caps._decide(cursor, [one])

    admitted = at_once(2, lambda number: unguarded((first, second)[number]))

    assert sum(map(len, admitted)) == 2
