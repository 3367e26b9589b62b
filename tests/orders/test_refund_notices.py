"""Money that has gone back is told to the shopper: by one event of the order and by one mail."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.core import mail
from django.db import transaction

from apps.notifications import delivery
from apps.notifications.models import Notification
from apps.orders import payloads, refund_words, transitions
from apps.orders.fulfilment import refund_notices
from apps.orders.fulfilment.cancellation import request_cancellation
from apps.orders.fulfilment.returns import receive_return, request_return
from apps.orders.transitions import Transition
from apps.payments import refunds, stopped_refunds
from apps.payments.models import Refund
from apps.payments.refunds import request_refund, send_due
from tests.factories import RefundFactory
from tests.orders.purchases import TOTAL, Shop, at_once

SENT = "We have sent $5.00 back to your card."


def ask(order_id: UUID, amount: int = 500, purpose: str = "admin:1") -> Refund:
    return request_refund(
        order_id, amount=amount, purpose=purpose, reason="Zoe broke it again", actor="zoe@shop.test"
    )


def told(shop: Shop, order_id: UUID) -> list[str]:
    """The messages of events about money that went back."""
    shop.statuses(order_id)  # asserts that `seq` has no gap
    events = shop.order(order_id).events.filter(message__startswith="We have sent")
    return list(events.order_by("seq").values_list("message", flat=True))


def mails(order_id: UUID, kind: str = "refund_sent") -> list[Notification]:
    return list(Notification.objects.filter(order_id=order_id, kind=kind).order_by("id"))


def test_refund_that_succeeded_is_an_event_and_a_mail(shop: Shop) -> None:
    order_id = shop.place_delivered()
    refund = ask(order_id)
    assert (told(shop, order_id), mails(order_id)) == ([], []), "asked for is not sent"

    send_due()

    assert told(shop, order_id) == [SENT]
    assert shop.statuses(order_id)[-2:] == ["DELIVERED", "DELIVERED"]
    assert payloads.status(shop.order(order_id))["message"] == SENT
    (written,) = mails(order_id)
    assert (written.state, written.about) == ("due", str(refund.pk))
    assert written.subject.startswith("We have sent $5.00 back for your Kettle & Pine order")
    assert "we have sent $5.00 back to your card. It comes from our staff." in written.body
    assert "Zoe" not in written.body + written.subject
    shop.assert_audit_clean()


def test_mail_goes_out(shop: Shop) -> None:
    order_id = shop.place_delivered()
    ask(order_id)
    send_due()
    mail.outbox.clear()

    while delivery.deliver_due():
        pass

    assert [m.subject.partition(" for ")[0] for m in mail.outbox].count(
        "We have sent $5.00 back"
    ) == 1


def test_webhook_after_the_answer_tells_nothing_again(shop: Shop) -> None:
    order_id = shop.place_delivered()
    ask(order_id)
    send_due()

    shop.hear()
    shop.hear()

    assert told(shop, order_id) == [SENT]
    assert len(mails(order_id)) == 1
    shop.assert_audit_clean()


def test_webhook_tells_it_where_the_answer_was_lost(shop: Shop) -> None:
    order_id = shop.place_delivered()
    ask(order_id)
    shop.sandbox.faults({"fault": "reset_after", "count": 1, "operations": ["refunds.create"]})
    send_due()
    assert told(shop, order_id) == []

    shop.hear()
    Refund.objects.update(due_at="2020-01-01T00:00Z")
    send_due()

    assert told(shop, order_id) == [SENT]
    assert len(mails(order_id)) == 1
    shop.assert_audit_clean()


@pytest.mark.race
def test_workers_that_record_it_at_once_tell_it_once(shop: Shop) -> None:
    order_id = shop.place_delivered()
    refund = ask(order_id)
    gateway = refunds.get_gateway().admit()
    sent = refunds.ask(gateway, refund, shop.payment(order_id)).refund

    def record(_: int) -> bool:
        with transaction.atomic():
            return refunds.settle(refund.pk, sent)

    assert sorted(at_once(4, record)) == [False, False, False, True]
    assert told(shop, order_id) == [SENT]
    assert len(mails(order_id)) == 1
    shop.assert_audit_clean()


def test_refund_is_not_recorded_without_its_event(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a worker that dies in between would leave a refund of which nobody is told."""
    order_id = shop.place_delivered()
    refund = ask(order_id)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("no room for an event")

    with monkeypatch.context() as broken:
        broken.setattr(transitions, "note", fails)
        send_due()
    refund.refresh_from_db()
    assert (refund.status, shop.payment(order_id).refunded_amount) == ("requested", 0)

    Refund.objects.update(due_at="2020-01-01T00:00Z")
    send_due()

    assert told(shop, order_id) == [SENT]
    assert shop.intents()[0]["amount_refunded"] == 500, "asked again under the same key"
    shop.assert_audit_clean()


def test_failed_refund_is_told_when_it_was_sent_again(shop: Shop) -> None:
    order_id = shop.place_delivered()
    refund = ask(order_id)
    Refund.objects.filter(pk=refund.pk).update(status="failed")
    again = stopped_refunds.retry(refund.pk, actor="clerk", reason="the card works again")

    send_due()

    assert told(shop, order_id) == [SENT]
    assert [m.about for m in mails(order_id)] == [str(again.pk)]


def test_cancellation_tells_of_its_refund_itself(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    request_cancellation(order_id, actor="alice@example.com")
    shop.run()

    assert told(shop, order_id) == []
    assert mails(order_id) == []
    (written,) = mails(order_id, "order_cancelled")
    assert f"${TOTAL / 100:.2f}" in written.body
    shop.assert_cancelled(order_id)


def test_return_is_told_when_announced_when_received_and_when_paid_back(shop: Shop) -> None:
    order_id = shop.place_delivered()
    announced = request_return(order_id, lines=[(shop.mug.sku, 1)], reason="too large")
    number = f"{shop.order(order_id).number}-R1"
    (first,) = mails(order_id, "return_announced")
    assert first.subject == f"Your return {number} of Kettle & Pine order {number[:-3]}"
    for words in ("  1 × Stoneware Mug\n", number, "  48 Mill Lane\n", "write the number"):
        assert words in first.body, words
    assert shop.mug.sku not in first.body

    receive_return(announced.pk, actor="clerk")
    (second,) = mails(order_id, "return_received")
    assert "We are sending $19.49 back to your card" in second.body
    assert mails(order_id) == []

    send_due()
    (third,) = mails(order_id)
    assert "we have sent $19.49 back to your card. It is for what you sent back." in third.body
    assert told(shop, order_id) == ["We have sent $19.49 back to your card."]
    shop.assert_audit_clean()


def test_refund_of_a_payment_without_an_order_is_recorded_all_the_same(shop: Shop) -> None:
    refund_notices.tell(sender=Refund, refund=RefundFactory(purpose="admin:1"))

    assert not Notification.objects.filter(kind="refund_sent").exists()


def test_note_keeps_what_the_shopper_has_to_do(shop: Shop) -> None:
    order_id = shop.place(card="pm_card_threeDSecure2Required")
    shop.run()
    before = payloads.status(shop.order(order_id))

    transitions.note(order_id, "Something else has happened.", actor="clerk")

    after = payloads.status(shop.order(order_id))
    assert (after["status"], after["next_action"]) == (before["status"], before["next_action"])
    assert (after["message"], after["seq"]) == (
        "Something else has happened.",
        before["seq"] + 1,
    )


@pytest.mark.race
def test_notes_and_moves_at_once_leave_no_gap(shop: Shop) -> None:
    order_id = shop.place_confirmed()

    def happens(number: int) -> None:
        if number:
            transitions.note(order_id, f"Note {number}.")
        else:
            transitions.make([Transition(order_id, "SHIPPED")])

    at_once(6, happens)

    assert len(shop.statuses(order_id)) == 3 + 6
    assert shop.order(order_id).status == "SHIPPED"


@pytest.mark.parametrize(
    ("purpose", "words"),
    [
        ("return:0199", "It is for what you sent back."),
        ("return:0199#1", "It is for what you sent back."),
        ("cancellation:2", "It is for your cancelled order."),
        ("admin:0199", "It comes from our staff."),
        ("gateway:re_1", "It comes from our staff."),
    ],
)
def test_shopper_reads_words_and_not_purposes(purpose: str, words: str) -> None:
    assert refund_words.for_shopper(purpose) == words


def test_cancellation_names_what_goes_back_now_and_not_what_went_before(shop: Shop) -> None:
    order_id = shop.place_confirmed()
    ask(order_id)
    send_due()
    request_cancellation(order_id, actor="alice@example.com")
    shop.run()

    (written,) = mails(order_id, "order_cancelled")

    assert f"We have sent ${(TOTAL - 500) / 100:.2f} back" in written.body
    shop.assert_cancelled(order_id)
