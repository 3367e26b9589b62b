"""Orders over the API: for the owner and for a client with the token, for no one else."""

import uuid

import pytest

from apps.orders import tokens, transitions
from apps.orders.models import Order
from apps.orders.transitions import Transition
from tests.api.conftest import Api, problem
from tests.factories import (
    OrderEventFactory,
    OrderFactory,
    OrderLineFactory,
    SagaFactory,
    ShipmentFactory,
    make_bob,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(db):
    """A guest's order of two mugs, with its first event."""
    placed = OrderFactory()
    OrderLineFactory(order=placed, sku="MUG", quantity=2, unit_amount=900)
    OrderEventFactory(order=placed)
    SagaFactory(order=placed)
    return placed


@pytest.fixture
def guest(api, order):
    api.headers["X-Order-Token"] = tokens.order_token(order.pk)
    return api


def move(order, to):
    transitions.make([Transition(order.pk, to)])


def test_guest_sees_their_order(guest, order):
    document = guest.get(f"/orders/{order.pk}/").json()

    assert document["number"] == order.number
    assert document["totals"]["total"] == {"amount": "23.99", "currency": "USD"}
    assert document["lines"] == [
        {
            "sku": "MUG",
            "name": "Mug",
            "quantity": 2,
            "unit_price": {"amount": "9.00", "currency": "USD"},
            "line_total": {"amount": "18.00", "currency": "USD"},
            "discount": {"amount": "0.00", "currency": "USD"},
            "tax": {"amount": "0.00", "currency": "USD"},
            "back_ordered": 0,
            "slug": None,
            "image": None,
        }
    ]
    assert document["shipment"] is None


def test_order_shows_its_parcel(guest, order):
    ShipmentFactory(order_id=order.pk, tracking_number="KP1")

    assert guest.get(f"/orders/{order.pk}/").json()["shipment"]["tracking_number"] == "KP1"


def test_owner_sees_their_order_without_a_token(order, alice):
    Order.objects.update(user=alice)

    assert Api().as_user(alice).get(f"/orders/{order.pk}/").status_code == 200


def test_session_of_the_owner_works_too(order, alice, client):
    Order.objects.update(user=alice)
    client.force_login(alice)

    assert client.get(f"/api/v1/orders/{order.pk}/").status_code == 200


@pytest.mark.parametrize("rest", ["", "status/", "events/"])
def test_strangers_find_no_order(order, alice, other, rest):
    Order.objects.update(user=alice)
    bob = Api("203.0.113.9").as_user(make_bob())
    somewhere_else = tokens.order_token(uuid.uuid4())

    for stranger in (other, bob):
        for token in ("", "guess", somewhere_else, "ü", "x" * 500):
            answer = stranger.get(f"/orders/{order.pk}/{rest}", X_Order_Token=token)
            problem(answer, 404, "not_found")
    problem(other.post(f"/orders/{order.pk}/cancel/"), 404, "not_found")
    returned = {"lines": [{"sku": "MUG", "quantity": 1}], "reason": "x"}
    problem(other.post(f"/orders/{order.pk}/returns/", returned), 404, "not_found")


def test_unknown_order_answers_as_that_of_another_customer(other):
    nowhere = other.get(f"/orders/{uuid.uuid4()}/").json()

    assert nowhere["code"] == "not_found"


@pytest.mark.parametrize("order_id", ["1", "abc", "0198b2c4-1234", "' OR 1=1 --", "..%2f.."])
def test_id_that_is_no_uuid_is_not_found(api, order_id):
    problem(api.get(f"/orders/{order_id}/"), 404, "not_found")


# --- Status -------------------------------------------------------------------------------------


def test_status_is_the_last_move(guest, order):
    move(order, "PAYMENT_AUTHORIZED")

    document = guest.get(f"/orders/{order.pk}/status/").json()

    assert set(document) == {
        *("id", "number", "status", "seq", "message", "updated_at", "next_action")
    }
    assert document["status"] == "PAYMENT_AUTHORIZED"
    assert document["seq"] == 2
    assert document["message"]
    assert document["updated_at"].endswith("Z")


def test_unchanged_status_is_a_304(guest, order):
    path = f"/orders/{order.pk}/status/"
    first = guest.get(path)
    etag = first["ETag"]

    again = guest.get(path, If_None_Match=etag)

    assert not etag.startswith("W/")
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
    assert guest.get(path, If_None_Match=f'"other", {etag}').status_code == 304
    assert guest.get(path, If_None_Match='"other"').status_code == 200
    assert guest.get(path, If_None_Match="garbage").status_code == 200
    move(order, "PAYMENT_AUTHORIZED")
    moved = guest.get(path, If_None_Match=etag)
    assert moved.status_code == 200
    assert moved["ETag"] != etag


def test_stranger_with_the_right_etag_gets_no_304(guest, other, order):
    path = f"/orders/{order.pk}/status/"
    etag = guest.get(path)["ETag"]

    problem(other.get(path, If_None_Match=etag), 404, "not_found")


def test_polling_costs_one_query_while_nothing_moves(guest, order, django_assert_num_queries):
    path = f"/orders/{order.pk}/status/"
    etag = guest.get(path)["ETag"]

    with django_assert_num_queries(1):
        guest.get(path, If_None_Match=etag)


# --- Events -------------------------------------------------------------------------------------


def test_events_since(guest, order):
    move(order, "PAYMENT_AUTHORIZED")
    move(order, "CONFIRMED")
    path = f"/orders/{order.pk}/events/"

    def seqs(**query):
        return [event["seq"] for event in guest.get(path, query).json()["results"]]

    assert seqs() == [1, 2, 3]
    assert seqs(after_seq="1") == [2, 3]
    assert seqs(after_seq="3") == []
    status = guest.get(f"/orders/{order.pk}/status/").json()
    assert guest.get(path, {"after_seq": "2"}).json()["results"] == [status]


@pytest.mark.parametrize("after_seq", ["-1", "x", "1.5", "1e3", str(2**31), "1;DROP", "９"])
def test_after_seq_is_a_whole_number(guest, order, after_seq):
    answer = guest.get(f"/orders/{order.pk}/events/", {"after_seq": after_seq})

    assert problem(answer, 400, "invalid")["errors"][0]["field"] == "after_seq"


# --- Lists --------------------------------------------------------------------------------------


def test_own_orders_newest_first(alice):
    mine = [OrderFactory(user=alice) for _ in range(3)]
    OrderFactory(user=make_bob())
    OrderFactory()
    api = Api().as_user(alice)

    first = api.get("/orders/", {"page_size": "2"}).json()
    second = api.get(first["next"]).json()

    numbers = [order["number"] for order in first["results"] + second["results"]]
    assert numbers == [order.number for order in reversed(mine)]
    assert set(first["results"][0]) == {
        *("id", "number", "status", "total", "placed_at", "updated_at")
    }


def test_orders_need_a_customer(api):
    answer = api.get("/orders/")

    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"].startswith("Bearer")


# --- Cancel -------------------------------------------------------------------------------------


def test_order_is_cancelled_before_shipment(guest, order):
    answer = guest.post(f"/orders/{order.pk}/cancel/")

    assert answer.status_code == 202, answer.content
    assert answer.json()["id"] == str(order.pk)
    order.saga.refresh_from_db()
    assert order.saga.cancel_requested_at is not None


@pytest.mark.parametrize("status", ["SHIPPED", "DELIVERED", "CANCELLED", "RETURNED"])
def test_order_is_not_cancelled_after(guest, order, status):
    Order.objects.update(status=status)
    order.saga.__class__.objects.update(state="done")

    problem(guest.post(f"/orders/{order.pk}/cancel/"), 409, "not_cancellable")


# --- Returns ------------------------------------------------------------------------------------


def send_back(guest, order, quantity=1, sku="MUG", reason="too small"):
    return guest.post(
        f"/orders/{order.pk}/returns/",
        {"lines": [{"sku": sku, "quantity": quantity}], "reason": reason},
    )


@pytest.fixture
def delivered(order):
    Order.objects.filter(pk=order.pk).update(status="DELIVERED")
    return order


def test_delivered_goods_are_sent_back(guest, delivered):
    answer = send_back(guest, delivered)

    assert answer.status_code == 201, answer.content
    assert answer.json()["lines"] == [
        {"sku": "MUG", "name": "Mug", "quantity": 1, "accepted": None, "refund": None}
    ]
    assert answer.json()["state"] == "requested"
    assert guest.get(f"/orders/{delivered.pk}/status/").json()["status"] == "RETURN_INITIATED"


def test_more_than_bought_cannot_come_back(guest, delivered):
    assert problem(send_back(guest, delivered, 3), 400, "invalid")["errors"]
    send_back(guest, delivered, 2)
    problem(send_back(guest, delivered, 1), 400, "invalid")


def test_two_lines_of_one_sku_count_together(guest, delivered):
    lines = [{"sku": "MUG", "quantity": 2}, {"sku": "MUG", "quantity": 1}]
    answer = guest.post(f"/orders/{delivered.pk}/returns/", {"lines": lines, "reason": "x"})

    problem(answer, 400, "invalid")


def test_goods_still_on_their_way_cannot_come_back(guest, order):
    problem(send_back(guest, order), 409, "not_returnable")


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": 0},
        {"quantity": -1},
        {"quantity": True},
        {"sku": "KETTLE"},
        {"reason": ""},
        {"reason": "x" * 501},
    ],
)
def test_return_is_checked(guest, delivered, changes):
    problem(send_back(guest, delivered, **changes), 400, "invalid")
