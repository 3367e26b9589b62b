"""Orders in the back office: each button calls the domain once, and a no changes nothing."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from apps.desk import log as decisions
from apps.desk.models import Decision
from apps.inventory.models import StockItem, StockMovement
from apps.notifications.models import Notification
from apps.orders import returns
from apps.orders.models import Order, OrderEvent, Return, Saga
from apps.payments.models import Payment, Refund
from apps.shipping.models import Shipment
from tests.admin.conftest import (
    Counting,
    an_order,
    do,
    everything,
    form_id,
    in_review,
    log,
    order_page,
    parcel,
    signed_in,
    sold_in_review,
    told,
)
from tests.factories import (
    GatewayCallFactory,
    IdempotencyKeyFactory,
    NotificationFactory,
    OrderEventFactory,
    OrderFactory,
    SagaStepFactory,
    StaffFactory,
    a_mug,
    make_alice,
)

pytestmark = pytest.mark.django_db

LIST = reverse("admin:orders_order_changelist")
QUEUE = reverse("admin:orders_saga_changelist")
DESK = reverse("admin:desk")
CLERK = "clerk@kettleandpine.example"
DEEDS = {
    "cancel": {"reason": "x"},
    "refund": {"amount": "1.00", "reason": "x"},
    "hand-over": {},
    "deliver": {},
    "receive-return": {},
    "retry": {"reason": "x"},
    "undo": {"reason": "x"},
    "resolve": {"reason": "x"},
}


def buttons(client: Client, order: Order) -> set[str]:
    """The deeds that an order's page offers."""
    shown = client.get(order_page(order)).content.decode()
    return {deed for deed in DEEDS if f'href="{order_page(order, deed)}"' in shown}


# --- Parcels ------------------------------------------------------------------------------------


def test_handing_over_ships_the_order_and_writes_to_the_shopper(office: Client) -> None:
    order = an_order()

    answer = do(office, order_page(order, "hand-over"))

    assert answer["Location"] == order_page(order)
    order.refresh_from_db()
    assert order.status == "SHIPPED"
    assert parcel(order).state == "handed_over"
    assert OrderEvent.objects.get(order=order, status="SHIPPED").actor == CLERK
    assert list(Notification.objects.values_list("kind", flat=True)) == ["order_shipped"]
    assert log() == [(CLERK, "Handed to the carrier.")]


def test_handing_over_waits_for_the_saga(office: Client) -> None:
    order = an_order(saga_state=Saga.State.UNDOING)
    before = everything(order)

    answer = do(office, order_page(order, "hand-over"))

    assert told(answer) == [
        "It cannot be handed over: The order is not finished, or it is being cancelled."
    ]
    assert everything(order) == before


def test_cancelled_parcel_is_not_handed_over_and_the_order_stays(office: Client) -> None:
    order = an_order()
    Shipment.objects.update(state="cancelled")
    before = everything(order)

    answer = do(office, order_page(order, "hand-over"))

    assert told(answer)[0].startswith("It cannot be handed over:")
    assert everything(order) == before


def test_delivered_order_can_be_marked_once(office: Client) -> None:
    order = an_order(Order.Status.SHIPPED)
    Shipment.objects.update(state="handed_over")

    do(office, order_page(order, "deliver"))

    order.refresh_from_db()
    assert (order.status, parcel(order).state) == ("DELIVERED", "delivered")
    before = everything(order)
    again = do(office, order_page(order, "deliver"))
    assert told(again)[-1].startswith("It cannot be marked delivered:")
    assert everything(order) == before


# --- Cancelling ---------------------------------------------------------------------------------


def test_cancelling_sends_the_saga_back(office: Client) -> None:
    order = an_order()

    do(office, order_page(order, "cancel"), reason="ordered twice, called us")

    saga = Saga.objects.get(order=order)
    assert (saga.state, saga.step, saga.cancel_reason) == ("undoing", "create_shipment", "staff")
    assert log() == [(CLERK, "Cancellation asked for. ordered twice, called us")]


def test_cancelling_needs_a_reason(office: Client) -> None:
    order = an_order()
    before = everything(order)

    answer = do(office, order_page(order, "cancel"), reason=" ")

    assert answer.context["form"].errors == {"reason": ["This field is required."]}
    assert everything(order) == before


@pytest.mark.parametrize(
    ("status", "state"),
    [("SHIPPED", "done"), ("DELIVERED", "done"), ("CANCELLED", "undone"), ("CONFIRMED", "review")],
)
def test_what_is_over_or_under_way_cannot_be_cancelled(
    office: Client, status: str, state: str
) -> None:
    order = an_order(status, saga_state=state)
    before = everything(order)

    answer = do(office, order_page(order, "cancel"), reason="x")

    assert told(answer) == [
        "It cannot be cancelled: the goods have left, or the order is over or in review."
    ]
    assert everything(order) == before


# --- Refunds ------------------------------------------------------------------------------------


def refunds() -> list[tuple[int, str, str, str]]:
    rows = Refund.objects.order_by("created_at", "id")
    return list(rows.values_list("amount", "status", "reason", "actor"))


def test_form_offers_the_whole_rest(office: Client) -> None:
    shown = office.get(order_page(an_order(), "refund")).content.decode()

    assert 'value="23.99"' in shown
    assert 'value="2399"' not in shown


def test_part_of_the_money_goes_back(office: Client) -> None:
    order = an_order(Order.Status.DELIVERED)
    url = order_page(order, "refund")
    this_form = form_id(office, url)

    office.post(url, {"form_id": this_form, "amount": "5.50", "reason": "chipped rim"})

    assert refunds() == [(550, "requested", "chipped rim", CLERK)]
    assert Refund.objects.get().purpose == f"admin:{this_form}"
    assert log() == [(CLERK, "Refund of $5.50 asked for. chipped rim")]


def test_double_click_is_one_refund(office: Client) -> None:
    url = order_page(an_order(), "refund")
    entry = {"form_id": form_id(office, url), "amount": "5.50", "reason": "chipped rim"}

    office.post(url, entry)
    again = office.post(url, entry)

    assert refunds() == [(550, "requested", "chipped rim", CLERK)]
    assert told(again)[-1] == "This was done already: the form was sent twice."
    assert len(log()) == 1


def test_two_forms_are_two_refunds_until_nothing_is_left(office: Client) -> None:
    url = order_page(an_order(), "refund")

    do(office, url, amount="20.00", reason="first")
    too_much = do(office, url, amount="4.00", reason="second")
    do(office, url, amount="3.99", reason="third")
    nothing_left = do(office, url, amount="0.01", reason="fourth")

    assert too_much.context["form"].errors == {"amount": ["At most $3.99 is left to refund."]}
    assert [amount for amount, *_ in refunds()] == [2000, 399]
    assert told(nothing_left)[-1] == "Nothing is left to refund."


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", "This field is required."),
        ("0", "At least 0.01."),
        ("-5", "At least 0.01."),
        ("5.555", "At most 2 decimals."),
        ("1e3", "Write a number such as 19.95."),
        ("NaN", "Write a number such as 19.95."),
        ("٣", "Write a number such as 19.95."),
        ("12,50", "Write a number such as 19.95."),
        ("9" * 30, "At most 10000000000.00."),
    ],
)
def test_bad_amount_is_named_beside_its_field(office: Client, typed: str, said: str) -> None:
    answer = do(office, order_page(an_order(), "refund"), amount=typed, reason="x")

    assert answer.context["form"].errors == {"amount": [said]}
    assert answer.context["form"]["amount"].value() == typed, "what was typed is kept"
    assert refunds() == []


def test_nothing_captured_is_nothing_to_refund(office: Client) -> None:
    order = an_order(captured=False)

    answer = do(office, order_page(order, "refund"), amount="1.00", reason="x")

    assert told(answer) == ["Nothing is left to refund."]
    assert refunds() == []


# --- Returns ------------------------------------------------------------------------------------


def test_received_return_restocks_and_refunds(office: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    order = an_order(Order.Status.DELIVERED, mug=mug)
    announced = returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")

    do(office, order_page(order, "receive-return"), arrived=announced.pk)

    order.refresh_from_db()
    announced.refresh_from_db()
    assert (order.status, announced.state) == ("RETURNED", "received")
    assert StockItem.objects.get(variant=mug).on_hand == 5
    assert refunds() == [(1800, "requested", "too large", CLERK)]
    assert log() == [(CLERK, "Return received: 1 × MUG-1: too large")]


def test_return_is_received_once(office: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    order = an_order(Order.Status.DELIVERED, mug=mug)
    announced = returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")
    url = order_page(order, "receive-return")
    first, second = form_id(office, url), form_id(office, url)

    office.post(url, {"form_id": first, "arrived": announced.pk})
    again = office.post(url, {"form_id": second, "arrived": announced.pk})

    assert again.status_code == 200 and "arrived" in again.context["form"].errors
    assert StockItem.objects.get(variant=mug).on_hand == 5
    assert len(refunds()) == 1


def test_return_of_another_order_is_no_choice(office: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    of_alice = an_order(Order.Status.DELIVERED, mug=mug)
    announced = returns.request_return(of_alice.pk, lines=[("MUG-1", 1)], reason="too large")
    of_bob = an_order(Order.Status.DELIVERED)

    answer = do(office, order_page(of_bob, "receive-return"), arrived=announced.pk)

    assert list(answer.context["form"].errors) == ["arrived"]
    assert Return.objects.get().state == "requested"


# --- Review -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state", "words"),
    [
        ("retry", "forward", "tried again"),
        ("undo", "undoing", "being undone"),
        ("resolve", "done", "closed as it is"),
    ],
)
def test_decision_is_taken_with_reason_and_kept(
    office: Client, name: str, state: str, words: str
) -> None:
    order = sold_in_review(number="KP-STUCK")

    do(office, order_page(order, name), reason="the gateway is back")

    assert Saga.objects.get(order=order).state == state
    decided = Decision.objects.get()
    assert (decided.kind, decided.subject, decided.order_id) == ("saga", str(order.pk), order.pk)
    assert (decided.decision, decided.reason, decided.actor) == (
        name,
        "the gateway is back",
        CLERK,
    )
    assert log() == [(CLERK, f"KP-STUCK: {words}. the gateway is back")]


def test_order_that_keeps_something_is_not_closed_and_the_form_says_what(office: Client) -> None:
    order = in_review(number="KP-STUCK")
    before = everything(order)
    url = order_page(order, "resolve")
    kept = "the order is PAYMENT_AUTHORIZED: neither confirmed nor cancelled"
    assert kept in office.get(url).content.decode()

    answer = do(office, url, reason="settled on the phone")

    (said,) = answer.context["form"].errors["reason"]
    assert said.startswith("KP-STUCK cannot be closed: ") and kept in said
    assert answer.context["form"]["reason"].value() == "settled on the phone"
    assert everything(order) == before
    assert not Decision.objects.exists()


def test_what_an_order_keeps_can_be_let_go_with_its_case(office: Client) -> None:
    mug = a_mug(stock=5)
    order = in_review(number="KP-STUCK", mug=mug)
    Payment.objects.filter(order_id=order.pk).update(status="voided")

    do(office, order_page(order, "resolve"), reason="voided at the gateway", let_go="on")

    order.refresh_from_db()
    assert order.status == "CANCELLED"
    assert OrderEvent.objects.get(order=order, status="CANCELLED").actor == CLERK
    assert StockItem.objects.get(variant=mug).on_hand == 5
    assert parcel(order).state == "cancelled"
    assert log() == [(CLERK, "KP-STUCK: let go and cancelled. voided at the gateway")]


@pytest.mark.parametrize("name", ["retry", "undo", "resolve"])
def test_only_what_is_in_review_is_decided_about(office: Client, name: str) -> None:
    order = an_order(number="KP-FINE")
    before = everything(order)

    answer = do(office, order_page(order, name), reason="x")

    assert told(answer) == ["KP-FINE is not in review (any more). Nothing was changed."]
    assert everything(order) == before
    assert not Decision.objects.exists()


@pytest.mark.parametrize("name", ["retry", "undo", "resolve"])
def test_decision_needs_a_reason(office: Client, name: str) -> None:
    order = in_review()
    before = everything(order)

    assert list(do(office, order_page(order, name), reason="").context["form"].errors) == ["reason"]
    assert everything(order) == before


def test_many_orders_of_one_outage_are_retried_together(office: Client) -> None:
    stuck = [in_review(), in_review()]
    asked = office.post(
        QUEUE, {"action": "retry_selected", "_selected_action": [o.pk for o in stuck]}
    )

    answer = do(office, asked["Location"], reason="the gateway is back")

    assert answer["Location"] == DESK + "?kind=saga"
    assert set(Saga.objects.values_list("state", flat=True)) == {"forward"}
    assert Decision.objects.count() == len(log()) == 2


def test_one_that_was_decided_meanwhile_stops_the_whole_decision(office: Client) -> None:
    first, second = in_review(), in_review()
    asked = office.post(
        QUEUE, {"action": "undo_selected", "_selected_action": [first.pk, second.pk]}
    )
    Saga.objects.filter(order=second).update(state="forward")

    answer = do(office, asked["Location"], reason="x")

    assert told(answer)[-1].endswith("is not in review (any more). Nothing was changed.")
    assert Saga.objects.get(order=first).state == "review"
    assert (Decision.objects.count(), log()) == (0, [])


def test_queue_says_who_waits_why_and_what_was_tried(office: Client) -> None:
    order = in_review(number="KP-STUCK")
    an_order(number="KP-FINE")
    decisions.record("saga", order.pk, "retry", reason="try once more", actor="bob@example.com")

    shown = office.get(QUEUE).content.decode()

    assert "KP-STUCK" in shown and "KP-FINE" not in shown
    assert "forward capture_payment did not succeed in 12 attempts" in shown
    assert "capture payment, 12 times: GatewayTransient: 503" in shown
    assert "retry by bob@example.com: try once more" in shown
    assert "KP-FINE" in office.get(QUEUE, {"state": "all"}).content.decode()


def test_row_of_the_queue_leads_to_the_order(office: Client) -> None:
    order = in_review()

    assert order_page(order) in office.get(QUEUE).content.decode()
    page = office.get(reverse("admin:orders_saga_change", args=[order.pk]))
    assert page["Location"] == order_page(order)


# --- Who may what -------------------------------------------------------------------------------


@pytest.mark.parametrize("deed", DEEDS)
def test_looker_does_nothing(looker: Client, deed: str) -> None:
    order = in_review() if deed in ("retry", "undo", "resolve") else an_order()
    before = everything(order)

    assert looker.get(order_page(order, deed)).status_code == 403
    assert looker.post(order_page(order, deed), DEEDS[deed]).status_code == 403

    assert buttons(looker, order) == set()
    assert everything(order) == before


def test_looker_decides_about_no_queue(looker: Client) -> None:
    order = in_review()
    url = reverse("admin:desk_decide", args=["resolve"]) + f"?case=saga:{order.pk}"

    assert looker.get(url).status_code == 403
    assert looker.post(url, {"reason": "x"}).status_code == 403
    looker.post(QUEUE, {"action": "retry_selected", "_selected_action": [order.pk]})
    assert Saga.objects.get().state == "review"


def test_packer_ships_but_does_not_refund(db: None) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    packer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_order", "change_order"])
    )
    browser = signed_in(packer)
    order = an_order()

    assert buttons(browser, order) == {"cancel", "hand-over"}
    assert browser.get(order_page(order, "refund")).status_code == 403
    do(browser, order_page(order, "hand-over"))
    order.refresh_from_db()
    assert order.status == "SHIPPED"


def test_stranger_is_sent_to_the_door(db: None, client: Client) -> None:
    order = an_order()
    client.force_login(make_alice())

    for url in (LIST, order_page(order), order_page(order, "cancel")):
        answer = client.post(url, {"reason": "x"})
        assert answer.status_code == 302 and "/admin/login/" in answer["Location"]
    assert Saga.objects.get().state == "done"


def test_deed_without_csrf_token_is_refused(clerk: Any) -> None:
    order = an_order()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(clerk)
    before = everything(order)

    assert browser.post(order_page(order, "hand-over"), {}).status_code == 403
    assert everything(order) == before


def test_reading_a_deeds_page_does_nothing(office: Client) -> None:
    order = an_order()
    before = everything(order)

    for deed in DEEDS:
        assert office.get(order_page(order, deed)).status_code == 200

    assert everything(order) == before


@pytest.mark.parametrize(
    ("status", "state", "offered"),
    [
        ("CONFIRMED", "done", {"hand-over", "refund", "cancel"}),
        ("SHIPPED", "done", {"deliver", "refund"}),
        ("DELIVERED", "done", {"refund"}),
        ("CONFIRMED", "undoing", {"refund"}),
        ("CONFIRMED", "review", {"refund", "retry", "undo", "resolve"}),
    ],
)
def test_buttons_are_those_that_make_sense(
    office: Client, status: str, state: str, offered: set[str]
) -> None:
    assert buttons(office, an_order(status, saga_state=state)) == offered


# --- Reading ------------------------------------------------------------------------------------


def test_order_has_no_form(office: Client) -> None:
    order = an_order()
    before = everything(order)

    assert office.post(order_page(order), {"status": "DELIVERED"}).status_code == 403
    assert office.get(reverse("admin:orders_order_add")).status_code == 403
    delete = reverse("admin:orders_order_delete", args=[order.pk])
    assert office.post(delete, {"post": "yes"}).status_code == 403
    assert everything(order) == before


def test_page_tells_the_whole_story(office: Client) -> None:
    order = an_order(number="KP-STORY", promo_codes=["SLOW"])
    payment = Payment.objects.get(order_id=order.pk)
    GatewayCallFactory(payment=payment, purpose="capture", key=payment.key("capture"))
    IdempotencyKeyFactory(order=order, key="checkout-key-1")
    NotificationFactory(order_id=order.pk, subject="Your order KP-STORY is confirmed")
    do(office, order_page(order, "refund"), amount="5.50", reason="chipped rim")

    shown = office.get(order_page(order)).content.decode()

    for words in (
        *("alice@example.com", "12 Pine Street", "$18.00", "$5.99", "$23.99"),
        *("authorize payment", "pi_test", "checkout-key-1", payment.key("capture")),
        *(parcel(order).tracking_number, "Your order KP-STORY is confirmed"),
        *("Refund $5.50", "Refund of $5.50 asked for. chipped rim", CLERK),
    ):
        assert words in shown, words


def test_markup_of_shoppers_is_shown_as_text(office: Client) -> None:
    evil = "<script>alert(1)</script>"
    order = an_order(shipping_address={"name": evil, "line1": evil, "country": "US"})
    order.lines.update(name=evil)
    OrderEventFactory(order=order, seq=2, message=evil)

    for url in (order_page(order), order_page(order, "refund"), LIST):
        assert evil not in office.get(url).content.decode()


@pytest.mark.parametrize("bad", ["nonsense", "0", "01a1fae6-9b65-778a-9601-18c787da8880"])
def test_unknown_order_is_no_error(office: Client, bad: str) -> None:
    for path in ("change", *DEEDS):
        assert office.get(f"{LIST}{bad}/{path}/").status_code == 302


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("KP-AAA", {"KP-AAA1"}),
        ("kp-aaa1", {"KP-AAA1"}),
        ("bob@example.com", {"KP-BBB2"}),
        ("BOB@EXAMPLE", {"KP-BBB2"}),
        ("MUG-BLUE", {"KP-AAA1"}),
        ("nothing", set()),
        ("' OR 1=1 --", set()),
    ],
)
def test_search_finds_by_number_email_and_sku(office: Client, typed: str, found: set[str]) -> None:
    an_order(mug=a_mug(sku="MUG-BLUE"), number="KP-AAA1")
    an_order(number="KP-BBB2", email="bob@example.com")

    results = office.get(LIST, {"q": typed}).context["cl"].result_list

    assert {order.number for order in results} == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status__exact": "SHIPPED"}, {"KP-SHIPPED"}),
        ({"saga__state__exact": "review"}, {"KP-STUCK"}),
        ({"attention": "review"}, {"KP-STUCK"}),
        ({"attention": "ship"}, {"KP-READY"}),
        ({"placed_at_from": "2000-01-01", "placed_at_to": "2000-12-31"}, set()),
    ],
)
def test_filters(office: Client, query: dict[str, str], found: set[str]) -> None:
    an_order(number="KP-READY")
    an_order(Order.Status.SHIPPED, number="KP-SHIPPED")
    in_review(number="KP-STUCK")

    results = office.get(LIST, query).context["cl"].result_list

    assert {order.number for order in results} == found


def test_export_quotes_what_a_spreadsheet_would_execute(office: Client) -> None:
    order = an_order(
        email="alice@example.com",
        number="KP-FILE",
        shipping_address={
            "name": "=HYPERLINK(1)",
            "line1": "\t+1",
            "phone": "+1 555",
            "city": "@x",
        },
    )

    answer = office.post(LIST, {"action": "export_selected", "_selected_action": [order.pk]})

    header, row, *_ = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()
    assert header.startswith("number,status,placed_at,email,currency,subtotal,discount")
    assert "KP-FILE,CONFIRMED," in row
    assert ",18.00,0.00,5.99,0.00,23.99," in row
    assert "'=HYPERLINK(1),'\t+1,,'@x,,,,'+1 555" in row
    assert log() == [(CLERK, "Exported 1 rows as orders.csv")]


def test_list_costs_the_same_with_many_orders(queries_of: Counting) -> None:
    an_order()
    queries_of(LIST)
    few = queries_of(LIST)
    for _ in range(8):
        an_order()

    assert queries_of(LIST) == few <= 12


def test_queue_costs_the_same_with_many_orders(queries_of: Counting) -> None:
    in_review()
    queries_of(QUEUE)
    few = queries_of(QUEUE)
    for _ in range(8):
        in_review()

    assert queries_of(QUEUE) == few <= 12


def test_page_costs_the_same_with_a_long_story(queries_of: Counting) -> None:
    order = an_order(user=make_alice())
    payment = Payment.objects.get(order_id=order.pk)
    GatewayCallFactory(payment=payment)
    NotificationFactory(order_id=order.pk)
    queries_of(order_page(order))
    few = queries_of(order_page(order))
    for n in range(2, 90):
        SagaStepFactory(saga_id=order.pk, outcome="retry", attempt=n)
    for n in range(2, 60):
        GatewayCallFactory(payment=payment)
        OrderEventFactory(order=order, seq=n)

    # Two more: how many steps and calls are not shown.
    assert queries_of(order_page(order)) <= few + 2 <= 38


def test_returns_list_leads_to_orders(office: Client) -> None:
    mug = a_mug(stock=5, sku="MUG-1")
    order = an_order(Order.Status.DELIVERED, mug=mug, number="KP-BACK")
    returns.request_return(order.pk, lines=[("MUG-1", 1)], reason="too large")

    shown = office.get(reverse("admin:orders_return_changelist")).content.decode()

    assert "KP-BACK" in shown and order_page(order) in shown


def test_stock_stays_out_of_orders_hands(office: Client) -> None:
    """A refund moves money only."""
    order = an_order()
    moved = StockMovement.objects.count()

    do(office, order_page(order, "refund"), amount="23.99", reason="goodwill")

    assert StockMovement.objects.count() == moved
    order.refresh_from_db()
    assert order.status == "CONFIRMED"


def test_unfinished_order_shows_without_saga_or_payment(office: Client) -> None:
    bare = OrderFactory(number="KP-BARE")

    assert office.get(order_page(bare)).status_code == 200
    assert buttons(office, bare) == set()
    assert told(do(office, order_page(bare, "cancel"), reason="x")) == [
        "This order has no saga: nothing carries it."
    ]
