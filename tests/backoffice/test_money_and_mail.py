"""Payments, the webhook inbox and mail: looked at, and decided about with a reason."""

import re
from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.notifications.models import Notification
from apps.payments import mirror
from apps.payments.models import GatewayCall, Payment, Refund, WebhookInbox
from tests.backoffice.conftest import (
    Counting,
    do,
    log,
    messages_of,
)
from tests.factories import (
    GatewayCallFactory,
    NotificationFactory,
    OrderFactory,
    PaymentFactory,
    RefundFactory,
    WebhookInboxFactory,
)

pytestmark = pytest.mark.django_db

CLERK = "clerk@kettleandpine.example"
MAIL = reverse("admin:notifications_notification_changelist")
INBOX = reverse("admin:payments_webhookinbox_changelist")


def page(row: Any, action: str = "change") -> str:
    meta = row._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(str(row.pk))])
    return url if action == "change" else url.replace("/change/", f"/{action}/")


# --- Webhooks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["dead", "quarantined"])
@pytest.mark.parametrize(
    ("action", "after", "words"),
    [("apply-again", "received", "applied again"), ("leave-be", None, "left as it is")],
)
def test_open_event_is_decided_about(
    staff: Client, state: str, action: str, after: str | None, words: str
) -> None:
    event = WebhookInboxFactory(event_id="evt_1", state=state, error="another amount", attempts=8)

    do(staff, page(event, action), reason="asked the bank")

    event.refresh_from_db()
    assert event.state == (after or state)
    assert (event.resolution, event.resolved_by) == ("asked the bank", CLERK)
    assert event.resolved_at is not None
    assert log() == [(CLERK, f"evt_1: {words}. asked the bank")]


def test_event_is_decided_about_by_who_follows_the_links(staff: Client) -> None:
    """Addresses in the admin write ids in a way of their own: `evt_1A` is `evt_5F1A`."""
    event = WebhookInboxFactory(event_id="evt_1AbC", state="dead")
    listed = re.search(r'href="([^"]+/change/)"', staff.get(INBOX).content.decode())
    assert listed
    shown = staff.get(listed[1]).content.decode()
    button = re.search(r'href="([^"]+/leave-be/)"', shown)
    assert button

    answer = do(staff, button[1], reason="asked the bank")

    event.refresh_from_db()
    assert event.resolution == "asked the bank"
    assert staff.get(answer.url).status_code == 200


@pytest.mark.parametrize("state", ["received", "applied", "ignored"])
def test_event_that_is_not_open_is_left_alone(staff: Client, state: str) -> None:
    event = WebhookInboxFactory(state=state)

    answer = do(staff, page(event, "apply-again"), reason="x")

    assert messages_of(answer) == ["This event is not open (any more). Nothing was changed."]
    event.refresh_from_db()
    assert (event.state, event.resolved_at, log()) == (state, None, [])
    assert "Apply again" not in staff.get(page(event)).content.decode()


def test_decision_about_an_event_needs_a_reason(staff: Client) -> None:
    event = WebhookInboxFactory(state="dead")

    answer = do(staff, page(event, "leave-be"), reason="  ")

    assert list(answer.context["form"].errors) == ["reason"]
    event.refresh_from_db()
    assert event.resolved_at is None


def test_payload_is_shown_without_secrets(staff: Client) -> None:
    intent = {
        "id": "pi_1",
        "client_secret": "pi_1_secret_abcdef",
        "nested": [{"note": "see pi_2_secret_xyz and 4242 4242 4242 4242"}],
        "name": "<b>bold</b>",
    }
    event = WebhookInboxFactory(payload={"data": {"object": intent}})

    shown = staff.get(page(event)).content.decode()

    assert "pi_1" in shown and "[secret]" in shown
    for hidden in ("pi_1_secret", "pi_2_secret", "4242 4242", "<b>bold"):
        assert hidden not in shown


def test_dead_letters_of_the_inbox_are_a_filter(staff: Client) -> None:
    WebhookInboxFactory(event_id="evt_dead", state="dead")
    WebhookInboxFactory(event_id="evt_odd", state="quarantined")
    WebhookInboxFactory(event_id="evt_fine", state="applied")

    found = staff.get(INBOX, {"dead": "open"}).context["cl"].result_list

    assert {event.pk for event in found} == {"evt_dead", "evt_odd"}


# --- The mirror ---------------------------------------------------------------------------------


def an_unmirrored_event(**fields: Any) -> WebhookInbox:
    return WebhookInboxFactory(
        **{"state": "applied", "mirror_attempts": 8, "mirror_error": "APIError: 503"} | fields
    )


def test_event_that_is_not_mirrored_is_tried_again(staff: Client) -> None:
    event = an_unmirrored_event(event_id="evt_1")

    do(staff, page(event, "mirror-again"), reason="the gateway is back")

    event.refresh_from_db()
    assert (event.state, event.mirror_attempts, event.mirror_resolved_at) == ("applied", 0, None)
    assert log() == [(CLERK, "evt_1: mirrored again. the gateway is back")]
    assert not mirror.failed().exists()


def test_event_can_go_without_its_copy(staff: Client) -> None:
    event = an_unmirrored_event(event_id="evt_1")

    do(staff, page(event, "give-up-mirror"), reason="of an account that is closed")

    assert not mirror.failed().exists()
    shown = staff.get(page(event)).content.decode()
    assert "of an account that is closed" in shown
    assert "Mirror again" not in shown
    again = do(staff, page(event, "mirror-again"), reason="x")
    assert messages_of(again)[-1] == "This event is not open (any more). Nothing was changed."


@pytest.mark.parametrize(
    "fields",
    [{"mirror_attempts": 7}, {"mirrored_at": timezone.now()}, {"state": "received"}],
    ids=["still tried", "mirrored", "not applied"],
)
def test_event_whose_mirror_is_no_case_is_left_alone(staff: Client, fields: dict[str, Any]) -> None:
    event = an_unmirrored_event(**fields)

    answer = do(staff, page(event, "mirror-again"), reason="x")

    assert messages_of(answer) == ["This event is not open (any more). Nothing was changed."]
    assert log() == []


# --- Refunds ------------------------------------------------------------------------------------


def a_stopped_refund(**fields: Any) -> Refund:
    payment = PaymentFactory(captured=True, order_id=OrderFactory(number="KP-BACK").pk)
    return RefundFactory(
        **{"payment": payment, "amount": 550, "status": "failed", "purpose": "admin:1",
           "message": "the card is closed"} | fields
    )  # fmt: skip


def test_refund_that_failed_is_sent_again_as_another(staff: Client) -> None:
    refund = a_stopped_refund()

    do(staff, page(refund, "send-again"), reason="they have a new card")

    refund.refresh_from_db()
    assert (refund.status, refund.resolution) == ("failed", "sent again: they have a new card")
    assert refund.resolved_by == CLERK
    again = Refund.objects.exclude(pk=refund.pk).get()
    assert (again.amount, again.status, again.purpose, again.actor) == (
        550, "requested", "admin:1#1", CLERK,
    )  # fmt: skip
    assert log() == [(CLERK, "Refund of $5.50: sent again. they have a new card")]


def test_refund_that_fails_again_shows_what_was_decided_before(staff: Client) -> None:
    do(staff, page(a_stopped_refund(), "send-again"), reason="they have a new card")
    again = Refund.objects.get(status="requested")
    Refund.objects.filter(pk=again.pk).update(status="failed")

    do(staff, page(again, "send-again"), reason="and another")

    assert set(Refund.objects.values_list("purpose", flat=True)) == {
        "admin:1", "admin:1#1", "admin:1#2",
    }  # fmt: skip
    assert "and another" in staff.get(page(again)).content.decode()


def test_refund_that_ran_out_of_attempts_gets_fresh_ones(staff: Client) -> None:
    refund = a_stopped_refund(status="requested", attempts=20)

    do(staff, page(refund, "send-again"), reason="the worker was mended")

    refund.refresh_from_db()
    assert (refund.status, refund.attempts, refund.resolved_at) == ("requested", 0, None)
    assert Refund.objects.count() == 1


@pytest.mark.parametrize(("status", "attempts"), [("failed", 1), ("requested", 20)])
def test_refund_paid_otherwise_is_closed(staff: Client, status: str, attempts: int) -> None:
    refund = a_stopped_refund(status=status, attempts=attempts)

    do(staff, page(refund, "settled-otherwise"), reason="paid by bank transfer")

    refund.refresh_from_db()
    assert (refund.status, refund.resolution) == (status, "paid by bank transfer")
    assert Refund.objects.count() == 1
    again = do(staff, page(refund, "send-again"), reason="x")
    assert messages_of(again)[-1].endswith("Nothing was changed.")
    assert "Send again" not in staff.get(page(refund)).content.decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "succeeded"},
        {"status": "requested", "attempts": 19},
        {"purpose": "cancellation"},
    ],
    ids=["succeeded", "still tried", "the saga's"],
)
def test_refund_that_has_not_stopped_is_left_alone(staff: Client, fields: dict[str, Any]) -> None:
    refund = a_stopped_refund(**fields)

    answer = do(staff, page(refund, "send-again"), reason="x")

    assert messages_of(answer)[-1].endswith("Nothing was changed.")
    assert (Refund.objects.count(), log()) == (1, [])


def test_refund_is_not_sent_again_when_its_money_went_back_otherwise(staff: Client) -> None:
    refund = a_stopped_refund()
    RefundFactory(payment=refund.payment, amount=2399, status="succeeded", purpose="admin:2")

    answer = do(staff, page(refund, "send-again"), reason="x")

    assert messages_of(answer)[-1] == (
        "It was not sent again: 550 is more than the 0 left to refund. Nothing was changed."
    )
    refund.refresh_from_db()
    assert (refund.resolved_at, log()) == (None, [])


# --- Mail ---------------------------------------------------------------------------------------


def a_dead_letter(**fields: Any) -> Notification:
    return NotificationFactory(
        state="dead", attempts=8, last_error="SMTPRecipientsRefused", **fields
    )


def test_dead_letter_is_sent_again(staff: Client) -> None:
    letter = a_dead_letter()

    do(staff, page(letter, "replay"), reason="the address was mended")

    letter.refresh_from_db()
    assert (letter.state, letter.attempts) == ("due", 0)
    assert (letter.resolution, letter.resolved_by) == ("the address was mended", CLERK)
    assert [who for who, _ in log()] == [CLERK]


def test_dead_letter_is_closed_unsent(staff: Client) -> None:
    letter = a_dead_letter()

    do(staff, page(letter, "dismiss"), reason="they called us")

    letter.refresh_from_db()
    assert (letter.state, letter.resolution) == ("dead", "they called us")
    again = do(staff, page(letter, "replay"), reason="x")
    assert messages_of(again)[-1].endswith("Nothing was changed.")


@pytest.mark.parametrize("state", ["due", "sent"])
def test_letter_that_lives_is_left_alone(staff: Client, state: str) -> None:
    letter = NotificationFactory(state=state)

    answer = do(staff, page(letter, "replay"), reason="x")

    assert messages_of(answer)[-1].endswith("Nothing was changed.")
    letter.refresh_from_db()
    assert (letter.state, letter.resolved_at, log()) == (state, None, [])


def test_letters_of_one_outage_are_sent_again_together(staff: Client) -> None:
    dead = [a_dead_letter(), a_dead_letter()]
    sent = NotificationFactory(state="sent")
    asked = staff.post(
        MAIL,
        {"action": "replay_selected", "_selected_action": [one.pk for one in (*dead, sent)]},
    )

    do(staff, asked["Location"], reason="the server is back")

    assert Notification.objects.filter(state="due").count() == 2
    assert len(log()) == 2


def test_letter_shows_its_text_as_text(staff: Client) -> None:
    order = OrderFactory(number="KP-MAIL")
    letter = NotificationFactory(order_id=order.pk, body="Dear <script>x</script>,\nthanks.")

    shown = staff.get(page(letter)).content.decode()

    assert "&lt;script&gt;x" in shown and "<script>x" not in shown
    assert "KP-MAIL" in shown


def test_looker_decides_about_nothing(looker: Client) -> None:
    letter, event = a_dead_letter(), WebhookInboxFactory(state="dead")

    refund = RefundFactory(status="failed", payment=PaymentFactory(captured=True))
    for url in (
        *(page(refund, action) for action in ("send-again", "settled-otherwise")),
        *(page(event, action) for action in ("mirror-again", "give-up-mirror")),
        *(page(letter, action) for action in ("replay", "dismiss")),
        *(page(event, action) for action in ("apply-again", "leave-be")),
        f"{reverse('admin:review_cases_decide', args=['retry'])}?case=mail:{letter.pk}",
    ):
        assert looker.get(url).status_code == 403
        assert looker.post(url, {"reason": "x"}).status_code == 403
    letter.refresh_from_db()
    event.refresh_from_db()
    assert letter.resolved_at is None and event.resolved_at is None
    assert "Send again" not in looker.get(page(letter)).content.decode()


# --- Reading ------------------------------------------------------------------------------------


def rows() -> list[Any]:
    payment = PaymentFactory(captured=True)
    return [
        payment,
        RefundFactory(payment=payment),
        WebhookInboxFactory(),
        NotificationFactory(),
    ]


def test_nothing_is_typed_over(staff: Client) -> None:
    for row in rows():
        before = type(row).objects.filter(pk=row.pk).values().get()
        meta = row._meta
        add = reverse(f"admin:{meta.app_label}_{meta.model_name}_add")
        delete = reverse(f"admin:{meta.app_label}_{meta.model_name}_delete", args=[row.pk])
        assert staff.get(add).status_code == 403
        assert staff.post(page(row), {"status": "refunded", "amount": 1}).status_code == 403
        assert staff.post(delete, {"post": "yes"}).status_code == 403
        assert type(row).objects.filter(pk=row.pk).values().get() == before


def test_payment_shows_amounts_calls_and_keys(staff: Client) -> None:
    order = OrderFactory(number="KP-PAID")
    payment = PaymentFactory(captured=True, order_id=order.pk)
    GatewayCallFactory(payment=payment, purpose="capture", key=payment.key("capture"))
    RefundFactory(payment=payment, amount=550, reason="chipped rim")

    shown = staff.get(page(payment)).content.decode()

    for words in ("KP-PAID", "$23.99", "$5.50", "chipped rim", payment.key("capture")):
        assert words in shown
    assert "2,399" not in shown


@pytest.mark.parametrize(
    "make",
    [
        lambda: PaymentFactory(order_id=OrderFactory().pk),
        lambda: RefundFactory(payment=PaymentFactory(captured=True, order_id=OrderFactory().pk)),
        lambda: WebhookInboxFactory(),
        lambda: NotificationFactory(order_id=OrderFactory().pk),
    ],
)
def test_lists_cost_the_same_with_many_rows(queries_of: Counting, make: Any) -> None:
    meta = make()._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    queries_of(url)
    few = queries_of(url)
    for _ in range(8):
        make()

    assert queries_of(url) == few <= 10


def test_payment_page_costs_the_same_with_many_calls(queries_of: Counting) -> None:
    payment = PaymentFactory(captured=True)
    GatewayCallFactory(payment=payment)
    queries_of(page(payment))
    few = queries_of(page(payment))
    GatewayCall.objects.bulk_create(GatewayCallFactory.build(payment=payment) for _ in range(20))

    assert queries_of(page(payment)) == few <= 20


@pytest.mark.parametrize(("model", "typed"), [(Payment, "KP-FIND"), (Refund, "kp-find")])
def test_money_is_found_by_order_number(staff: Client, model: Any, typed: str) -> None:
    payment = PaymentFactory(captured=True, order_id=OrderFactory(number="KP-FIND").pk)
    RefundFactory(payment=payment)
    RefundFactory()
    meta = model._meta
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")

    found = staff.get(url, {"q": typed}).context["cl"].result_list

    assert len(found) == 1
