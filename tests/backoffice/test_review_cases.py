"""The list of everything that waits for a person, and decisions about it."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.backoffice import decision_log as decisions
from apps.backoffice.models import Decision
from apps.backoffice.review_cases import case_types, list_view
from apps.customers.models import User
from apps.notifications.models import Notification
from apps.orders.models import Order, Saga
from apps.payments.models import Discrepancy, Refund, WebhookInbox
from tests.backoffice.conftest import (
    Counting,
    do,
    in_review,
    log,
    messages_of,
    signed_in,
    sold_in_review,
)
from tests.factories import (
    NotificationFactory,
    OrderFactory,
    PaymentFactory,
    RefundFactory,
    StaffFactory,
    WebhookInboxFactory,
)

pytestmark = pytest.mark.django_db

REVIEW_CASES = reverse("admin:review_cases")
CLERK = "clerk@kettleandpine.example"
NOW = timezone.now()


def hours_ago(hours: float) -> Any:
    return NOW - timedelta(hours=hours)


def a_dead_letter(**fields: Any) -> Notification:
    return NotificationFactory(
        **{"state": "dead", "attempts": 8, "last_error": "550 no such user",
           "order_id": OrderFactory().pk} | fields
    )  # fmt: skip


def a_failed_refund(**fields: Any) -> Refund:
    payment = PaymentFactory(captured=True, order_id=OrderFactory(number="KP-BACK").pk)
    return RefundFactory(
        **{
            "payment": payment,
            "amount": 550,
            "status": "failed",
            "message": "card closed",
            "purpose": "admin:1",
        }
        | fields
    )


def an_odd_event(**fields: Any) -> WebhookInbox:
    return WebhookInboxFactory(**{"state": "quarantined", "error": "another amount"} | fields)


def an_unmirrored_event(**fields: Any) -> WebhookInbox:
    return WebhookInboxFactory(
        **{"state": "applied", "mirror_attempts": 8, "mirror_error": "APIError: 503"} | fields
    )


def a_discrepancy(**fields: Any) -> Discrepancy:
    return Discrepancy.objects.create(
        **{"kind": "no_payment", "subject": "pi_stray", "why": "2548 taken for no payment of ours"}
        | fields
    )


def one_of_each() -> dict[str, str]:
    """(kind, key) of a case of each kind, who has waited longest first."""
    order = in_review(number="KP-STUCK")
    Saga.objects.update(updated_at=hours_ago(5))
    return {
        "saga": str(order.pk),
        "webhook": an_odd_event(event_id="evt_odd", received_at=hours_ago(4)).pk,
        "mirror": an_unmirrored_event(event_id="evt_copy", received_at=hours_ago(3)).pk,
        "refund": str(a_failed_refund(created_at=hours_ago(2)).pk),
        "discrepancy": str(a_discrepancy(first_seen_at=hours_ago(1.5)).pk),
        "mail": str(a_dead_letter(created_at=hours_ago(1)).pk),
    }


def shown(client: Client, **query: Any) -> list[tuple[str, str]]:
    """(kind, key) of the cases on the page, in its order."""
    answer = client.get(REVIEW_CASES, query)
    assert answer.status_code == 200
    return [(row.case.kind, row.case.key) for row in answer.context["rows"]]


def ask(client: Client, name: str, *refs: tuple[str, str], **more: str) -> str:
    """The URL that a button of the list leads to."""
    query = {"case": [f"{kind}:{key}" for kind, key in refs], **more}
    answer = client.get(reverse("admin:review_cases_decide", args=[name]), query)
    return answer.wsgi_request.get_full_path()


# --- What stands there --------------------------------------------------------------------------


def test_all_kinds_stand_on_one_page_who_waited_longest_first(staff: Client) -> None:
    cases = one_of_each()

    assert shown(staff) == list(cases.items())

    text = staff.get(REVIEW_CASES).content.decode()
    for words in (
        "Order KP-STUCK", "forward capture_payment did not succeed in 12 attempts",
        "capture payment, 12 times: GatewayTransient: 503",
        "evt_odd", "quarantined: another amount",
        "evt_copy", "APIError: 503", "tried 8 times",
        "Refund of $5.50", "failed: card closed", "KP-BACK",
        "pi_stray: a charge without a payment", "2548 taken for no payment of ours",
        "did not get it: 550 no such user",
    ):  # fmt: skip
        assert words.replace("'", "&#x27;") in text, words


def test_what_is_settled_stands_nowhere(staff: Client) -> None:
    sold_in_review()
    Saga.objects.update(state="done")
    a_dead_letter(state="sent")
    a_dead_letter(resolved_at=NOW)
    an_odd_event(resolved_at=NOW)
    an_odd_event(state="received")
    an_unmirrored_event(mirrored_at=NOW)
    an_unmirrored_event(mirror_resolved_at=NOW)
    an_unmirrored_event(mirror_attempts=3)
    a_failed_refund(status="succeeded")

    assert shown(staff) == []
    assert "Nothing waits for a person." in staff.get(REVIEW_CASES).content.decode()


def test_one_kind_at_a_time(staff: Client) -> None:
    cases = one_of_each()

    for kind, key in cases.items():
        assert shown(staff, kind=kind) == [(kind, key)]
    tabs = {tab.title: tab.count for tab in staff.get(REVIEW_CASES).context["tabs"]}
    assert tabs == {
        "All": 6, "Orders": 1, "Webhooks": 1, "Mirror": 1, "Refunds": 1, "Discrepancies": 1,
        "Mail": 1,
    }  # fmt: skip


def test_earlier_decision_stands_beside_a_case_that_came_back(staff: Client) -> None:
    letter = a_dead_letter()
    do(staff, ask(staff, "retry", ("mail", str(letter.pk))), reason="the server is back")
    Notification.objects.update(state="dead", resolution="", resolved_by="", resolved_at=None)

    text = staff.get(REVIEW_CASES).content.decode()

    assert f"by {CLERK}" in text and "the server is back" in text
    do(staff, ask(staff, "resolve", ("mail", str(letter.pk))), reason="told them by telephone")
    assert list(Decision.objects.values_list("decision", "reason")) == [
        ("resolve", "told them by telephone"), ("retry", "the server is back"),
    ]  # fmt: skip
    history = staff.get(
        reverse("admin:notifications_notification_change", args=[letter.pk])
    ).content.decode()
    assert history.index("told them by telephone") < history.index("the server is back")


def test_decisions_are_append_only() -> None:
    made = decisions.record("mail", 7, "retry", actor="clerk", reason="x")

    with pytest.raises(Exception, match="append-only"):
        Decision.objects.filter(pk=made.pk).update(actor="nobody")


@pytest.mark.parametrize(("actor", "reason"), [("", "why"), ("clerk", " ")])
def test_decision_without_actor_or_reason_is_none(actor: str, reason: str) -> None:
    with pytest.raises(decisions.ReasonMissing):
        decisions.record("mail", 7, "retry", actor=actor, reason=reason)
    assert not Decision.objects.exists()


# --- Deciding -----------------------------------------------------------------------------------


def test_cases_of_several_kinds_are_tried_again_together(staff: Client) -> None:
    cases = one_of_each()

    answer = do(staff, ask(staff, "retry", *cases.items()), reason="the outage is over")

    assert answer["Location"] == REVIEW_CASES
    assert shown(staff) == [("discrepancy", cases["discrepancy"])], "until it was looked at"
    assert Saga.objects.get().state == "forward"
    assert WebhookInbox.objects.get(pk="evt_odd").state == "received"
    assert WebhookInbox.objects.get(pk="evt_copy").mirror_attempts == 0
    assert Notification.objects.get().state == "due"
    assert Refund.objects.filter(status="requested").count() == 1
    assert len(log()) == 6
    assert set(Decision.objects.values_list("kind", "actor", "reason")) == {
        (kind, CLERK, "the outage is over") for kind in cases
    }


def test_one_that_was_decided_meanwhile_stops_the_whole_decision(staff: Client) -> None:
    first, second = a_dead_letter(), a_dead_letter()
    event = an_odd_event()
    url = ask(
        staff, "resolve", ("mail", str(first.pk)), ("mail", str(second.pk)), ("webhook", event.pk)
    )
    Notification.objects.filter(pk=second.pk).update(resolved_at=NOW)

    answer = do(staff, url, reason="x")

    assert messages_of(answer)[-1].endswith("Nothing was changed.")
    event.refresh_from_db()
    assert event.resolved_at is None
    assert (Decision.objects.count(), log()) == (0, [])


def test_order_that_keeps_something_stops_the_closing_of_all(staff: Client) -> None:
    stuck, letter = in_review(number="KP-STUCK"), a_dead_letter()
    url = ask(staff, "resolve", ("mail", str(letter.pk)), ("saga", str(stuck.pk)))

    answer = do(staff, url, reason="x")

    assert "KP-STUCK cannot be closed" in answer.context["form"].errors["reason"][0]
    assert (Decision.objects.count(), log()) == (0, [])


def test_discrepancy_is_left_as_it_is(staff: Client) -> None:
    row = a_discrepancy()

    do(staff, ask(staff, "resolve", ("discrepancy", str(row.pk))), reason="a test by the bank")

    row.refresh_from_db()
    assert (row.state, row.resolution, row.resolved_by) == (
        "resolved", "a test by the bank", CLERK,
    )  # fmt: skip
    assert shown(staff) == []
    again = do(staff, ask(staff, "resolve", ("discrepancy", str(row.pk))), reason="x")
    assert messages_of(again)[-1].endswith("Nothing was changed.")
    assert Decision.objects.count() == 1


def test_double_click_decides_once(staff: Client) -> None:
    refund = a_failed_refund()
    url = ask(staff, "retry", ("refund", str(refund.pk)))
    first = staff.get(url).context["form"]["form_id"].value()

    for _ in range(2):
        answer = staff.post(url, {"form_id": first, "reason": "new card"})

    assert messages_of(answer)[-1] == "This was done already: the form was sent twice."
    assert Refund.objects.filter(status="requested").count() == 1


def test_what_a_kind_does_not_know_is_refused(staff: Client) -> None:
    letter = a_dead_letter()
    answer = staff.get(
        reverse("admin:review_cases_decide", args=["undo"]),
        {"case": f"mail:{letter.pk}"},
        follow=True,
    )
    assert "there is no “undo” for these" in answer.content.decode()


def test_decision_leads_back_to_where_one_was(staff: Client) -> None:
    letter = a_dead_letter()
    url = ask(staff, "retry", ("mail", str(letter.pk)), kind="mail", p="3")
    assert do(staff, url, reason="x")["Location"] == f"{REVIEW_CASES}?kind=mail&p=3"


@pytest.mark.parametrize(
    "query",
    [
        "", "case=", "case=mail", "case=mail:", "case=mail:x", "case=mail:9999", "case=nobody:1",
        "case=saga:nonsense", "case=saga:%00", "case=refund:%2e%2e", "case=webhook:%00",
        "case=mail:" + "9" * 30, "case=mail:٣", "case=webhook:evt_none&kind=nonsense&p=x",
        "&".join(f"case=mail:{n}" for n in range(101)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["retry", "nonsense"])
def test_nonsense_is_answered_with_a_message(staff: Client, name: str, query: str) -> None:
    url = reverse("admin:review_cases_decide", args=[name])

    answer = staff.get(f"{url}?{query}")

    assert answer.status_code == 302
    assert urlsplit(answer["Location"]).path == REVIEW_CASES
    assert len(messages_of(answer)) == 1


@pytest.mark.parametrize("query", ["p=-1", "p=0", "p=999999999999", "p=x", "kind=x", "kind=%00"])
def test_nonsense_in_the_pages_address_is_no_error(staff: Client, query: str) -> None:
    a_dead_letter()
    assert staff.get(f"{REVIEW_CASES}?{query}").status_code == 200


def test_markup_of_shoppers_is_shown_as_text(staff: Client) -> None:
    evil = "<img src=x onerror=alert(1)>"
    a_dead_letter(subject=evil, to="eve@example.com", last_error=evil)
    assert evil not in staff.get(REVIEW_CASES).content.decode()


# --- Who may what -------------------------------------------------------------------------------


def test_everybody_sees_the_kinds_that_they_may_open(db: None) -> None:
    cases = one_of_each()
    postman = StaffFactory(email="postman@kettleandpine.example", is_superuser=False)
    browser = signed_in(postman)
    assert browser.get(REVIEW_CASES).status_code == 403
    assert REVIEW_CASES not in browser.get(reverse("admin:index")).content.decode()
    postman.user_permissions.set(Permission.objects.filter(codename="view_notification"))
    # New permissions end access to the back office (test_staff_session.py).
    browser = signed_in(User.objects.get(pk=postman.pk))

    assert shown(browser) == [("mail", cases["mail"])]
    assert shown(browser, kind="saga") == [("mail", cases["mail"])]
    assert 'name="case"' not in browser.get(REVIEW_CASES).content.decode(), "may look, not decide"
    for kind, key in cases.items():
        url = f"{reverse('admin:review_cases_decide', args=['retry'])}?case={kind}:{key}"
        assert browser.get(url).status_code == 403
        assert browser.post(url, {"reason": "x"}).status_code == 403


def test_who_may_decide_about_one_kind_decides_about_no_other(db: None) -> None:
    cases = one_of_each()
    postman = StaffFactory(email="postman@kettleandpine.example", is_superuser=False)
    postman.user_permissions.set(
        Permission.objects.filter(codename__in=["view_notification", "change_notification"])
    )
    browser = signed_in(postman)
    both = f"case=mail:{cases['mail']}&case=webhook:{cases['webhook']}"

    assert (
        browser.get(f"{reverse('admin:review_cases_decide', args=['retry'])}?{both}").status_code
        == 403
    )
    do(browser, ask(browser, "retry", ("mail", cases["mail"])), reason="x")
    assert Notification.objects.get().state == "due"


# --- Many ---------------------------------------------------------------------------------------


def test_page_costs_the_same_with_many_cases(queries_of: Counting) -> None:
    one_of_each()
    queries_of(REVIEW_CASES)
    few = queries_of(REVIEW_CASES)
    for number in range(8):
        in_review()
        a_dead_letter()
        an_odd_event(event_id=f"evt_{number}")
        decisions.record("webhook", f"evt_{number}", "retry", actor="bob", reason="x")

    assert queries_of(REVIEW_CASES) == few <= 18


def test_fifty_thousand_cases_are_paged(staff: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO notifications_notification
                (order_id, kind, "to", subject, body, state, attempts, last_error, resolution,
                 resolved_by, created_at)
            SELECT gen_random_uuid(), 'order_confirmed', 'a@example.com', 'Thank you', '', 'dead',
                   8, '', '', '', now() - make_interval(secs => n)
            FROM generate_series(1, 50000) n;
            ANALYZE notifications_notification
            """
        )
    assert len(shown(staff)) == list_view.PER_PAGE
    answer = staff.get(REVIEW_CASES, {"p": 1000})
    assert (answer.context["page"], answer.context["pages"], answer.context["after"]) == (
        1000, 1000, "",
    )  # fmt: skip
    newest = Notification.objects.order_by("-created_at").first()
    assert newest is not None
    assert answer.context["rows"][-1].case.key == str(newest.pk)
    assert "99+" in answer.content.decode()


@pytest.mark.parametrize("case_type", case_types.in_locking_order(), ids=lambda each: each.name)
def test_waiting_cases_are_read_along_a_partial_index(case_type: case_types.CaseType) -> None:
    """Without one, the badge in the side bar would read whole tables on every page."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        plan = case_type.waiting().order_by(case_type.since).explain(costs=False)
    table = case_type.waiting().model._meta.db_table
    cursor_indexes = {
        index.name
        for index in case_type.waiting().model._meta.indexes
        if index.condition is not None and list(index.fields) == [case_type.since]
    }
    assert any(f"using {name} on {table}" in plan for name in cursor_indexes), plan


def test_side_bar_and_first_page_say_how_many_wait(staff: Client) -> None:
    one_of_each()
    front = staff.get(reverse("admin:index"))
    assert front.context["dashboard"].figures[-2].value == "6"
    assert [row.case.kind for row in front.context["dashboard"].waiting] == [
        "saga", "webhook", "mirror", "refund", "discrepancy", "mail",
    ]  # fmt: skip
    (item,) = [
        entry
        for entry in front.context["sidebar_navigation"][0]["items"]
        if entry["title"] == "Needs a person"
    ]
    assert (urlsplit(str(item["link"])).path, item["badge"]) == (REVIEW_CASES, "6")


def test_log_is_found_by_order_number(staff: Client) -> None:
    order = OrderFactory(number="KP-LOG")
    decisions.record("saga", order.pk, "retry", actor="bob", reason="why not", order_id=order.pk)
    decisions.record("mail", 7, "retry", actor="bob", reason="another")

    answer = staff.get(reverse("admin:backoffice_decision_changelist"), {"q": "kp-log"})

    assert [found.reason for found in answer.context["cl"].result_list] == ["why not"]


def test_an_orders_page_tells_all_that_was_decided_about_it(staff: Client) -> None:
    letter = a_dead_letter()
    do(staff, ask(staff, "resolve", ("mail", str(letter.pk))), reason="told them by telephone")

    order = Order.objects.get(pk=letter.order_id)
    text = staff.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()

    assert "told them by telephone" in text
