"""One parcel per order, with its allowed transitions only."""

import threading
from datetime import date
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from apps.shipping import parcels, rates
from apps.shipping.carriers.local import business_days_after, tracking_number
from apps.shipping.models import Shipment
from apps.shipping.parcels import ParcelRequest
from tests.factories import ADDRESS, MethodFactory

pytestmark = pytest.mark.django_db
State = Shipment.State


@pytest.fixture(autouse=True)
def empty_cache():
    rates.forget()
    yield
    rates.forget()


def request_for(order_id, method="standard"):
    return ParcelRequest(
        order_id=order_id, number=str(order_id)[:8], method_code=method, address=ADDRESS
    )


def labelled(method="standard"):
    order_id = uuid4()
    parcels.create_labels([request_for(order_id, method)])
    return order_id


def state_of(order_id):
    return Shipment.objects.get(order_id=order_id).state


def database_today():
    with connection.cursor() as cursor:
        cursor.execute("SELECT (now() AT TIME ZONE 'UTC')::date")
        return cursor.fetchone()[0]


def test_a_batch_of_orders_gets_its_labels():
    MethodFactory(code="standard", min_days=3, max_days=5)
    MethodFactory(code="express", min_days=1, max_days=2)
    slow, fast = uuid4(), uuid4()

    made = parcels.create_labels([request_for(slow), request_for(fast, "express")])

    today = database_today()
    assert made.keys() == {slow, fast}
    assert made[slow].tracking_number == tracking_number(slow)
    assert (made[slow].carrier, made[slow].service) == ("local", "standard")
    assert made[slow].estimated_from == business_days_after(today, 3)
    assert made[slow].estimated_to == business_days_after(today, 5)
    assert made[fast].estimated_to == business_days_after(today, 2)
    assert {shipment.state for shipment in made.values()} == {State.LABELLED}


def test_no_orders_no_labels(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert parcels.create_labels([]) == {}


def test_a_repeated_step_gets_the_same_parcel():
    order_id = uuid4()
    first = parcels.create_labels([request_for(order_id)])[order_id]
    Shipment.objects.filter(pk=first.pk).update(estimated_to=date(2030, 1, 1))

    again = parcels.create_labels([request_for(order_id)])[order_id]

    assert again.pk == first.pk
    assert again.estimated_to == date(2030, 1, 1)  # the estimate that the shopper was given stays
    assert Shipment.objects.count() == 1


def test_a_batch_that_is_half_done_is_finished():
    done, new = labelled(), uuid4()

    made = parcels.create_labels([request_for(done), request_for(new)])

    assert made.keys() == {done, new}
    assert Shipment.objects.count() == 2


def test_the_number_of_queries_does_not_grow_with_the_batch(django_assert_num_queries):
    MethodFactory()
    rates.service("standard")
    batch = [request_for(uuid4()) for _ in range(100)]

    with django_assert_num_queries(3):  # the date, the insert, the parcels
        assert len(parcels.create_labels(batch)) == 100


def test_a_deleted_method_still_ships():
    order_id = uuid4()

    shipment = parcels.create_labels([request_for(order_id, "no-such-method")])[order_id]

    assert (shipment.carrier, shipment.service) == ("local", "no-such-method")


def test_an_unknown_carrier_is_logged_and_replaced(caplog):
    MethodFactory(code="standard", carrier="locla")
    order_id = uuid4()

    shipment = parcels.create_labels([request_for(order_id)])[order_id]

    assert shipment.carrier == "local"
    assert "no carrier 'locla'" in caplog.text


def test_a_duplicate_tracking_number_is_an_error_not_a_lost_parcel(monkeypatch):
    labelled_before = Shipment.objects.get(order_id=labelled())
    monkeypatch.setattr(
        "apps.shipping.carriers.local.tracking_number",
        lambda order_id: labelled_before.tracking_number,
    )

    with pytest.raises(IntegrityError), transaction.atomic():
        parcels.create_labels([request_for(uuid4())])

    assert Shipment.objects.count() == 1


def test_a_parcel_is_handed_over_and_delivered():
    order_id = labelled()

    handed = parcels.hand_over(order_id)
    assert (handed.state, handed.delivered_at) == (State.HANDED_OVER, None)
    assert handed.handed_over_at is not None
    delivered = parcels.deliver(order_id)
    assert delivered.state == State.DELIVERED
    assert delivered.delivered_at >= delivered.handed_over_at


def test_each_transition_may_be_repeated():
    order_id = labelled()
    first = parcels.hand_over(order_id)

    assert parcels.hand_over(order_id).handed_over_at == first.handed_over_at
    delivered = parcels.deliver(order_id)
    assert parcels.deliver(order_id).delivered_at == delivered.delivered_at
    assert parcels.hand_over(order_id).state == State.DELIVERED  # never back


def test_a_parcel_cannot_be_delivered_before_it_is_handed_over():
    order_id = labelled()

    with pytest.raises(parcels.WrongShipmentState) as refused:
        parcels.deliver(order_id)

    assert refused.value.state == State.LABELLED
    assert state_of(order_id) == State.LABELLED


def test_a_cancelled_parcel_is_not_handed_over():
    order_id = labelled()
    parcels.cancel([order_id])

    with pytest.raises(parcels.WrongShipmentState):
        parcels.hand_over(order_id)

    assert state_of(order_id) == State.CANCELLED


def test_an_order_without_a_parcel_has_none_to_hand_over():
    with pytest.raises(parcels.ShipmentNotFound):
        parcels.hand_over(uuid4())


def test_cancel_applies_to_parcels_that_have_not_left():
    here, gone, arrived, never = labelled(), labelled(), labelled(), uuid4()
    parcels.hand_over(gone)
    parcels.hand_over(arrived)
    parcels.deliver(arrived)

    assert parcels.cancel([here, gone, arrived, never]) == {here, never}

    assert state_of(here) == State.CANCELLED
    assert state_of(gone) == State.HANDED_OVER
    assert state_of(arrived) == State.DELIVERED


def test_cancel_may_be_repeated():
    order_id = labelled()

    assert parcels.cancel([order_id]) == {order_id}
    assert parcels.cancel([order_id]) == {order_id}
    assert parcels.cancel([]) == set()


def test_a_label_requested_after_the_cancellation_stays_cancelled():
    order_id = labelled()
    parcels.cancel([order_id])

    assert parcels.create_labels([request_for(order_id)])[order_id].state == State.CANCELLED


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_handing_over_and_cancelling_at_once_one_wins():
    for _ in range(10):
        order_id = labelled()
        answers = {}
        start = threading.Barrier(2)

        def hand_over(order_id=order_id, answers=answers, start=start):
            start.wait()
            try:
                answers["handed"] = parcels.hand_over(order_id).state == State.HANDED_OVER
            except parcels.WrongShipmentState:
                answers["handed"] = False
            finally:
                connection.close()

        def cancel(order_id=order_id, answers=answers, start=start):
            start.wait()
            try:
                answers["cancelled"] = order_id in parcels.cancel([order_id])
            finally:
                connection.close()

        threads = [threading.Thread(target=hand_over), threading.Thread(target=cancel)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert answers["handed"] is not answers["cancelled"]
        assert state_of(order_id) == (State.HANDED_OVER if answers["handed"] else State.CANCELLED)
