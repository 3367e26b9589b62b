"""How long the back office stays open, and which actions ask for the password again."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from apps.backoffice.sign_in import staff_session
from apps.customers.models import User
from apps.inventory.models import StockItem
from apps.orders.models import Saga
from apps.payments.models import Discrepancy, Payment, Refund
from tests.backoffice.conftest import (
    an_order,
    do,
    form_id,
    form_of,
    in_review,
    order_page,
    signed_in,
)
from tests.backoffice.staff_browser import (
    CONFIRM,
    Clock,
    asked,
    by_password,
    confirm,
    hidden,
    is_open,
)
from tests.factories import PASSWORD, RefundFactory, StaffFactory, make_alice

pytestmark = pytest.mark.django_db

ORDERS = reverse("admin:orders_order_changelist")
PEOPLE = reverse("admin:customers_user_changelist")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


# --- How long -----------------------------------------------------------------------------------


def test_office_closes_when_it_is_not_used(clerk: User, clock: Clock) -> None:
    browser = by_password(clerk)
    clock.passes(minutes=29)
    assert is_open(browser)

    clock.passes(minutes=31)

    answer = browser.get(ORDERS)
    assert answer["Location"] == f"{CONFIRM}?next=%2Fadmin%2Forders%2Forder%2F"


def test_office_that_is_used_stays_open_for_eight_hours_and_no_longer(
    clerk: User, clock: Clock
) -> None:
    browser = by_password(clerk)
    for _ in range(23):
        clock.passes(minutes=20)
        assert is_open(browser)

    clock.passes(minutes=21)

    assert not is_open(browser)


def test_page_of_the_office_writes_no_session(
    staff: Client, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(staff.session)
    writes = []
    save = store.save
    monkeypatch.setattr(store, "save", lambda *a, **k: [writes.append(1), save(*a, **k)][1])
    staff.get("/admin/")
    staff.get(ORDERS)
    assert writes == []

    clock.passes(minutes=2)
    staff.get(ORDERS)
    staff.get("/admin/")

    assert len(writes) == 1


def test_password_opens_it_again_where_one_was_going(clerk: User, clock: Clock) -> None:
    browser = by_password(clerk)
    clock.passes(hours=1)

    page = browser.get(f"{ORDERS}?status=CONFIRMED", follow=True)
    assert asked(page) == {"password"}
    wrong = confirm(browser, page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"],
                    password="wrong")  # fmt: skip
    assert "That is not your password." in wrong.content.decode()
    assert not is_open(browser)
    right = confirm(browser, page.request["PATH_INFO"] + "?" + page.request["QUERY_STRING"],
                    password=PASSWORD)  # fmt: skip

    assert right["Location"] == f"{ORDERS}?status=CONFIRMED"
    assert is_open(browser)


def test_confirming_gives_the_session_a_new_id(clerk: User, clock: Clock) -> None:
    browser = by_password(clerk)
    before = browser.session.session_key
    clock.passes(hours=1)

    confirm(browser, password=PASSWORD)

    assert browser.session.session_key != before
    assert browser.session.get("_auth_user_id") == str(clerk.pk)


def test_member_of_staff_goes_on_shopping_when_the_office_closes(clerk: User, clock: Clock) -> None:
    browser = by_password(clerk)
    clock.passes(hours=9)

    assert not is_open(browser)
    assert browser.get("/account/").status_code == 200


def test_shoppers_session_stays_as_it_is(clock: Clock) -> None:
    browser = Client()
    browser.post("/account/login/", {"email": make_alice().email, "password": PASSWORD})
    clock.passes(days=7)

    assert browser.get("/account/").status_code == 200
    assert staff_session.KEY not in browser.session


def test_session_from_before_there_was_an_office_is_asked(clerk: User) -> None:
    browser = signed_in(clerk)
    session = browser.session
    del session[staff_session.KEY]
    session.save()

    assert not is_open(browser)


# --- What closes it -----------------------------------------------------------------------------


def test_changed_password_ends_the_other_sessions(clerk: User) -> None:
    here, elsewhere = by_password(clerk), by_password(clerk)
    new = "a-slower-morning-8"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}

    assert here.post("/admin/password_change/", form).status_code == 302

    assert is_open(here)
    assert not is_open(elsewhere)
    assert elsewhere.get("/account/").status_code == 302


@pytest.mark.parametrize("change", ["group", "role", "own", "superuser"])
def test_changed_rights_close_the_office(change: str) -> None:
    packer = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    packers = Group.objects.create(name="Packers")
    packers.permissions.set(Permission.objects.filter(codename="view_order"))
    packer.groups.add(packers)
    browser = by_password(packer)
    assert is_open(browser)

    if change == "group":
        packer.groups.clear()
    elif change == "role":
        packers.permissions.add(Permission.objects.get(codename="change_order"))
    elif change == "own":
        packer.user_permissions.add(Permission.objects.get(codename="view_user"))
    else:
        User.objects.filter(pk=packer.pk).update(is_superuser=True)

    assert not is_open(browser)
    confirm(browser, password=PASSWORD)
    assert is_open(browser)


# --- Fresh sign-ins -----------------------------------------------------------------------------


def test_refund_asks_again_and_the_filled_form_is_not_lost(clerk: User, clock: Clock) -> None:
    browser, order = by_password(clerk), an_order()
    url = order_page(order, "refund")
    mark = form_id(browser, url)
    clock.passes(minutes=11)

    page = browser.post(url, {"form_id": mark, "amount": "5.00", "reason": "chipped\r\nmug"})

    assert page.status_code == 403 and asked(page) == {"password"}
    assert hidden(page) == {"form_id": [mark], "amount": ["5.00"], "reason": ["chipped\r\nmug"]}
    assert Refund.objects.count() == 0
    again = {**hidden(page), "confirm-password": "wrong"}
    page = browser.post(url, again)
    assert page.status_code == 403 and Refund.objects.count() == 0
    assert hidden(page)["amount"] == ["5.00"]
    again["confirm-password"] = PASSWORD
    assert browser.post(url, again).status_code == 302
    assert browser.post(url, again).status_code == 302, "a second click is no second refund"
    assert Refund.objects.get().amount == 500


def test_refunds_form_is_reached_after_confirming(clerk: User, clock: Clock) -> None:
    browser, order = by_password(clerk), an_order()
    url = order_page(order, "refund")
    clock.passes(minutes=11)

    page = browser.get(url, follow=True)
    assert asked(page) == {"password"}
    answer = confirm(browser, f"{CONFIRM}?next={url}&fresh=1", password=PASSWORD)

    assert answer["Location"] == url
    do(browser, url, amount="5.00", reason="chipped")
    assert Refund.objects.get().amount == 500


def money_actions() -> list[str]:
    return ["refund", "cancel", "receive-return", "retry", "undo", "resolve",
            "send-again", "settle", "give-back", "adopt", "case-undo", "case-refund"]  # fmt: skip


def address_of(action: str) -> str:
    """The URL of an action that sends money back."""
    if action in ("refund", "cancel", "receive-return"):
        return order_page(an_order(), action)
    if action in ("retry", "undo", "resolve"):
        return order_page(in_review(), action)
    if action == "case-undo":
        return reverse("admin:review_cases_decide", args=["undo"]) + f"?case=saga:{in_review().pk}"
    order = an_order()
    payment = Payment.objects.get(order_id=order.pk)
    if action in ("send-again", "settle", "case-refund"):
        stopped = RefundFactory(payment=payment, status=Refund.Status.FAILED)
        if action == "case-refund":
            return (
                reverse("admin:review_cases_decide", args=["resolve"])
                + f"?case=refund:{stopped.pk}"
            )
        name = "send_again" if action == "send-again" else "settle_otherwise"
        return reverse(f"admin:payments_refund_{name}", args=[stopped.pk])
    row = Discrepancy.objects.create(
        kind=Discrepancy.Kind.REFUNDED_THERE, subject="pi_1", payment=payment, why="x"
    )
    return reverse(f"admin:payments_discrepancy_{action.replace('-', '_')}", args=[row.pk])


@pytest.mark.parametrize("action", money_actions())
def test_every_action_that_sends_money_back_asks_for_the_password_again(
    clerk: User, clock: Clock, action: str
) -> None:
    browser, url = by_password(clerk), address_of(action)
    assert browser.get(url).status_code == 200, "the sign-in is recent"
    clock.passes(minutes=11)

    got, sent = browser.get(url), browser.post(url, {"reason": "x"})

    assert got.status_code == 302 and got["Location"].startswith(CONFIRM)
    assert sent.status_code == 403 and asked(sent) == {"password"}
    assert hidden(sent) == {"reason": ["x"]}


def test_what_moves_no_money_does_not_ask(clerk: User, clock: Clock) -> None:
    browser, order = by_password(clerk), an_order()
    clock.passes(minutes=11)

    assert do(browser, order_page(order, "hand-over")).status_code == 302


def test_rights_are_given_after_a_fresh_sign_in_only(clerk: User, clock: Clock) -> None:
    browser, alice = by_password(clerk), make_alice()
    url = reverse("admin:customers_user_change", args=[alice.pk])
    form = form_of(browser, url)
    clock.passes(minutes=11)

    assert browser.post(url, {**form, "name": "Alice B."}).status_code == 302, "a customer's name"
    page = browser.post(url, {**form, "is_staff": "on"})

    alice.refresh_from_db()
    assert page.status_code == 403 and not alice.is_staff and alice.name == "Alice B."
    answer = browser.post(url, {**hidden(page), "confirm-password": PASSWORD})
    alice.refresh_from_db()
    assert answer.status_code == 302 and alice.is_staff


def test_colleagues_account_and_roles_are_touched_after_a_fresh_sign_in_only(
    clerk: User, clock: Clock
) -> None:
    browser = by_password(clerk)
    colleague = StaffFactory(email="packer@kettleandpine.example", is_superuser=False)
    role = Group.objects.create(name="Packers")
    user = [colleague.pk]
    forms = [
        (reverse("admin:customers_user_change", args=user), {"email": "mine@example.com"}),
        (reverse("admin:customers_user_delete", args=user), {"post": "yes"}),
        (reverse("admin:auth_user_password_change", args=user), {"password1": "x"}),
        (reverse("admin:auth_group_add"), {"name": "More"}),
        (reverse("admin:auth_group_change", args=[role.pk]), {"name": "More"}),
        (reverse("admin:auth_group_delete", args=[role.pk]), {"post": "yes"}),
        (reverse("admin:auth_group_changelist"),
         {"action": "delete_selected", "_selected_action": str(role.pk), "post": "yes"}),
        ("/admin/password_change/", {"old_password": PASSWORD}),
    ]  # fmt: skip
    clock.passes(minutes=11)

    answers = [browser.post(url, form) for url, form in forms]

    assert [answer.status_code for answer in answers] == [403] * len(forms)
    assert [asked(answer) for answer in answers] == [{"password"}] * len(forms)
    colleague.refresh_from_db()
    assert colleague.email == "packer@kettleandpine.example"
    assert list(Group.objects.values_list("name", flat=True)) == ["Packers"]


def test_no_new_password_is_written_into_the_page(clerk: User, clock: Clock) -> None:
    browser, alice = by_password(clerk), make_alice()
    url = reverse("admin:auth_user_password_change", args=[alice.pk])
    clock.passes(minutes=11)

    page = browser.post(url, {"password1": "hunter-two-22", "password2": "hunter-two-22"})

    assert page.status_code == 403
    assert b"hunter-two-22" not in page.content
    assert b"Passwords and files do not come along" in page.content
    assert "no-store" in page["Cache-Control"]


def test_orders_leave_as_a_file_after_a_fresh_sign_in_only(clerk: User, clock: Clock) -> None:
    browser, order = by_password(clerk), an_order()
    chosen = {"action": "export_selected", "_selected_action": str(order.pk)}
    clock.passes(minutes=11)

    page = browser.post(ORDERS, chosen)
    assert page.status_code == 403 and order.email not in page.content.decode()
    answer = browser.post(ORDERS, {**hidden(page), "confirm-password": PASSWORD})

    assert order.email in b"".join(answer.streaming_content).decode()


def test_stock_leaves_as_a_file_without_asking(clerk: User, clock: Clock) -> None:
    browser = by_password(clerk)
    an_order()
    clock.passes(minutes=11)
    items = reverse("admin:inventory_stockitem_changelist")
    item = StockItem.objects.get()
    answer = browser.post(items, {"action": "export_selected", "_selected_action": str(item.pk)})

    assert answer["Content-Type"].startswith("text/csv")


def test_form_typed_for_an_hour_is_not_lost(clerk: User, clock: Clock) -> None:
    browser, alice = by_password(clerk), make_alice()
    url = reverse("admin:customers_user_change", args=[alice.pk])
    form = form_of(browser, url)
    clock.passes(hours=1)

    page = browser.post(url, {**form, "name": "Alice <Baker>"})
    assert page.status_code == 403 and "Alice &lt;Baker&gt;" in page.content.decode()
    browser.post(url, {**form, "name": "Alice <Baker>", "confirm-password": PASSWORD})

    alice.refresh_from_db()
    assert alice.name == "Alice <Baker>"


def test_forged_confirmation_is_refused(clerk: User, clock: Clock) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(clerk)
    order = an_order()
    clock.passes(minutes=11)

    answer = browser.post(
        order_page(order, "refund"),
        {"amount": "5.00", "reason": "x", "confirm-password": PASSWORD},
    )

    assert answer.status_code == 403 and asked(answer) == set()
    assert Refund.objects.count() == 0


def test_review_queues_bulk_asks_too(clerk: User, clock: Clock) -> None:
    browser, order = by_password(clerk), in_review()
    clock.passes(minutes=11)

    answer = browser.post(
        reverse("admin:orders_saga_changelist"),
        {"action": "undo_selected", "_selected_action": str(order.pk)},
        follow=True,
    )

    assert asked(answer) == {"password"}
    assert Saga.objects.get(order=order).state == Saga.State.REVIEW


@pytest.mark.parametrize("wanted", ["//evil.example/", "https://evil.example/", "/account/", "x"])
def test_confirmation_leads_into_the_office_only(clerk: User, clock: Clock, wanted: str) -> None:
    browser = by_password(clerk)
    clock.passes(hours=1)

    answer = confirm(browser, f"{CONFIRM}?next={wanted}", password=PASSWORD)

    assert answer["Location"] == "/admin/"
