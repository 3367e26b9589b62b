"""The intake slow, full, or shut down: nothing lost, nothing twice."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from apps.catalog.models import Variant
from apps.orders import intake
from apps.orders.errors import IdempotencyInFlight, IdempotencyKeyReused, Overloaded
from apps.orders.intake import Accepted, accept_batch, queue, wait_estimate
from apps.orders.intake.checkout_request import RequestIdentity
from apps.orders.intake.pending import Stage
from apps.orders.models import Order
from tests.factories import a_kettle, a_mug
from tests.orders.buyers import Buyer, other_connections, queue_up, stand_still
from tests.orders.checkouts import a_checkout, everything, locked, pending, place, reserved, until

pytestmark = pytest.mark.usefixtures("open_shop")


@pytest.fixture
def mug() -> Variant:
    return a_mug(stock=50)


@pytest.fixture
def stuck(ours, mug) -> Iterator[Buyer]:
    """A buyer whose commit waits for a locked row; until the test ends."""
    with locked(mug):
        yield stand_still(ours, mug)


class TestCartThatIsGone:
    """Redis lost it after it was read: only the key finds the order."""

    def test_answer_is_in_flight_while_the_order_is_being_committed(self, ours, stuck, monkeypatch):
        monkeypatch.setattr(queue, "_intake", ours)
        asked = stuck.pending.request
        identity = RequestIdentity(asked.scope, asked.key, asked.fingerprint)

        with pytest.raises(IdempotencyInFlight):
            intake.recall(identity)

    def test_afterwards_the_stored_answer_is_found(self, ours, mug, monkeypatch):
        monkeypatch.setattr(queue, "_intake", ours)
        asked = a_checkout((mug, 1), cart_id=uuid4())
        identity = RequestIdentity(asked.scope, asked.key, asked.fingerprint)
        assert intake.recall(identity) is None
        made = ours.submit(pending(asked))

        found = intake.recall(identity)

        assert found == replace(made, replayed=True)
        with pytest.raises(IdempotencyKeyReused):
            intake.recall(identity._replace(fingerprint=bytes(32)))
        assert intake.recall(identity._replace(scope="user:1")) is None


class TestFullQueue:
    def test_sheds_before_anything_is_written(self, ours, mug, settings):
        settings.INTAKE_QUEUE_MAX = 3
        kettle = a_kettle(stock=50)
        with locked(mug):
            first = stand_still(ours, mug)
            waiting = queue_up(ours, *(a_checkout((kettle, 1)) for _ in range(3)))
            before = everything()

            with pytest.raises(Overloaded) as shed:
                ours.submit(pending(a_checkout((kettle, 1))))

            assert shed.value.retry_after == 2
            assert everything() == before
        assert [type(buyer.result()) for buyer in (first, *waiting)] == [Accepted] * 4
        assert Order.objects.count() == 4

    def test_accepts_again_once_there_is_room(self, ours, mug, settings):
        settings.INTAKE_QUEUE_MAX = 1
        shed = a_checkout((mug, 1))
        with locked(mug):
            first = stand_still(ours, mug)
            (second,) = queue_up(ours, a_checkout((mug, 1)))
            with pytest.raises(Overloaded):
                ours.submit(pending(shed))
        first.result()
        second.result()

        assert ours.submit(pending(shed)).replayed is False

    def test_commits_in_batches_of_bounded_size(self, ours, mug, settings, monkeypatch):
        settings.INTAKE_BATCH_MAX = 4
        sizes: list[int] = []
        commit = accept_batch.commit
        monkeypatch.setattr(
            queue, "commit", lambda batch, gauge: (sizes.append(len(batch)), commit(batch, gauge))
        )
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(10)))
        assert all(isinstance(buyer.result(), Accepted) for buyer in (first, *rest))

        assert sizes == [1, 4, 4, 2]


class TestBoundedWait:
    def test_request_that_is_not_reached_in_time_is_withdrawn(self, ours, mug, settings):
        with locked(mug):
            first = stand_still(ours, mug)
            settings.INTAKE_WAIT /= 100
            (late,) = queue_up(ours, a_checkout((mug, 1)))

            outcome = late.result()

            assert isinstance(outcome, Overloaded)
            assert outcome.retry_after == 5
            assert late.pending.stage is Stage.WITHDRAWN
        assert isinstance(first.result(), Accepted)
        assert (Order.objects.count(), reserved(mug)) == (1, 1)
        assert ours.submit(pending(late.pending.request)).replayed is False

    def test_request_that_is_being_committed_is_not_reported_as_failed(self, ours, mug, settings):
        settings.INTAKE_WAIT /= 20
        with locked(mug):
            request = a_checkout((mug, 1))
            buyer = Buyer(ours, request)

            assert isinstance(buyer.result(), IdempotencyInFlight)
            with pytest.raises(IdempotencyInFlight):  # still under way
                ours.submit(pending(request))

        until(Order.objects.exists, "the commit is through")
        until(lambda: not ours._in_flight, "its key is free again")
        again = ours.submit(pending(request))
        assert again.replayed is True
        assert (Order.objects.count(), reserved(mug)) == (1, 1)

    def test_same_key_in_the_queue_is_in_flight(self, ours, mug):
        request = a_checkout((mug, 1))
        with locked(mug):
            first = stand_still(ours, mug)
            (waiting,) = queue_up(ours, request)

            with pytest.raises(IdempotencyInFlight) as refused:
                ours.submit(pending(request))

            assert refused.value.retry_after == 1
        assert isinstance(first.result(), Accepted)
        assert waiting.result().replayed is False
        assert ours.submit(pending(request)).replayed is True


class TestDrain:
    def test_commits_what_is_queued_and_takes_nothing_more(self, ours, mug):
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(3)))
            committer = ours._thread
            closing = threading.Thread(target=ours.drain, args=[10])
            closing.start()
            until(lambda: ours._draining, "it closes")

            with pytest.raises(Overloaded):
                ours.submit(pending(a_checkout((mug, 1))))

        closing.join(60)
        assert not closing.is_alive()
        assert not committer.is_alive()
        assert [type(buyer.result()) for buyer in (first, *rest)] == [Accepted] * 4
        assert reserved(mug) == 4

    def test_that_times_out_loses_no_checkout(self, ours, mug):
        """The commit takes longer than the drain may: those behind it are answered all the same."""
        with locked(mug):
            first = stand_still(ours, mug)
            rest = queue_up(ours, *(a_checkout((mug, 1)) for _ in range(2)))

            ours.drain(0.05)

            with pytest.raises(Overloaded):
                ours.submit(pending(a_checkout((mug, 1))))
        assert [type(buyer.result()) for buyer in (first, *rest)] == [Accepted] * 3
        assert reserved(mug) == 3

    def test_of_an_intake_that_never_ran_is_nothing(self, ours):
        ours.drain(1)

    def test_twice_is_once(self, ours, mug):
        ours.submit(pending(a_checkout((mug, 1))))
        ours.drain(10)
        ours.drain(10)

    def test_closes_the_committers_connection(self, ours, mug):
        before = other_connections()
        ours.submit(pending(a_checkout((mug, 1))))
        committers = other_connections() - before
        assert committers

        ours.drain(10)

        until(lambda: not committers & other_connections(), "the server has seen it go")


def test_full_queue_refuses_new_orders_and_still_replays_old_ones(
    mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = a_checkout((mug, 1))
    first = place(taken)
    monkeypatch.setattr(wait_estimate, "SHORT_QUEUE", 0)
    monkeypatch.setattr(wait_estimate, "MAX_DEPTH", 0)
    before = everything()

    with pytest.raises(Overloaded) as refused:
        place(a_checkout((mug, 1)))
    again = place(taken)

    assert refused.value.retry_after == 30
    assert (again.order_id, again.replayed) == (first.order_id, True)
    assert everything() == before


def test_idle_committer_measures_the_queue_and_survives_an_error_in_it(
    ours: queue.Intake, mug: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "IDLE", 0.01)
    monkeypatch.setattr(wait_estimate, "SAMPLE_EVERY", 0.0)
    Buyer(ours, a_checkout((mug, 1))).result()
    looked = []

    def look() -> tuple[int, int]:
        looked.append(threading.current_thread().name)
        raise RuntimeError("whatever it may be")

    monkeypatch.setattr(wait_estimate, "figures", look)
    until(lambda: len(looked) > 1, "it has measured twice")
    monkeypatch.undo()

    assert set(looked) == {"intake"}
    assert isinstance(Buyer(ours, a_checkout((mug, 1))).result(), Accepted)
