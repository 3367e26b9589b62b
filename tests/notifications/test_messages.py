"""The text of each mail."""

from uuid import uuid4

import pytest

from apps.notifications import messages
from apps.notifications.errors import MissingData, UnknownKind

ORDER = uuid4()
COMMON = {"number": "K7M2", "name": "Alice Archer", "url": "https://shop.example/orders/1/"}
LINES = [
    {"name": "Stoneware Mug · Moss", "quantity": 2, "amount": "$36.00"},
    {"name": "Tea <Strainer> & Co", "quantity": 1, "amount": "$9.50"},
]
DATA = {
    "order_confirmed": {
        **COMMON,
        "lines": LINES,
        "subtotal": "$45.50",
        "discount": "",
        "shipping": "$5.99",
        "tax": "$0.00",
        "total": "$51.49",
        "address": ["Alice Archer", "12 Pine Street", "Portland, OR 97201", "United States"],
        "estimate": "Nov 24 – Nov 27",
    },
    "payment_declined": {**COMMON, "total": "$51.49", "until": "14:05 UTC"},
    "order_cancelled": {**COMMON, "reason": "", "refund": "$51.49"},
    "order_shipped": {
        **COMMON,
        "tracking_number": "KP3V27MHKAW0JKMGCCB",
        "carrier": "Kettle & Pine van",
        "estimate": "Nov 24 – Nov 27",
        "address": ["Alice Archer", "12 Pine Street"],
    },
    "return_announced": {
        **COMMON,
        "return_number": "K7M2-R1",
        "lines": LINES,
        "send_to": ["Kettle & Pine, Returns", "48 Mill Lane"],
        "what_to_do": "Send it to the address.",
    },
    "return_received": {
        **COMMON,
        "lines": LINES,
        "refund": "$45.50",
        "not_accepted": LINES[:1],
        "reason": "One was used.",
    },
    "return_refused": {
        **COMMON,
        "return_number": "K7M2-R1",
        "lines": LINES,
        "reason": "They were used.",
    },
    "refund_sent": {**COMMON, "refund": "$45.50", "what_for": "It is for what you sent back."},
}


def compose(kind, **changes):
    return messages.compose(kind, {**DATA[kind], **changes}, order_id=ORDER, to="a@example.com")


def test_text_of_the_confirmation():
    message = compose("order_confirmed")

    assert (message.order_id, message.kind, message.to) == (
        ORDER,
        "order_confirmed",
        "a@example.com",
    )
    assert message.subject == "Your Kettle & Pine order K7M2 is confirmed"
    assert message.body == (
        "Hello Alice Archer,\n"
        "\n"
        "thank you for your order. It is paid, and we are packing it now.\n"
        "\n"
        "Order K7M2\n"
        "\n"
        "  2 × Stoneware Mug · Moss  $36.00\n"
        "  1 × Tea <Strainer> & Co  $9.50\n"
        "\n"
        "  Subtotal  $45.50\n"
        "  Shipping  $5.99\n"
        "  Tax  $0.00\n"
        "  Total  $51.49\n"
        "\n"
        "It goes to:\n"
        "\n"
        "  Alice Archer\n"
        "  12 Pine Street\n"
        "  Portland, OR 97201\n"
        "  United States\n"
        "\n"
        "Estimated delivery: Nov 24 – Nov 27\n"
        "\n"
        "Follow your order here:\n"
        "https://shop.example/orders/1/\n"
        "\n"
        "Kettle & Pine\n"
    )


def test_a_discount_has_a_line_of_its_own():
    assert "\n  Discount  -$4.55\n" in compose("order_confirmed", discount="-$4.55").body


@pytest.mark.parametrize("kind", sorted(messages.NEEDS))
def test_each_kind_is_complete_with_all_data_and_with_the_least(kind):
    full = compose(kind)
    least = compose(kind, **{name: "" for name in DATA[kind] if name not in ("number", "url")})

    for message in (full, least):
        assert "K7M2" in message.subject
        assert "https://shop.example/orders/1/" in message.body
        assert "{" not in message.body
        assert "\n\n\n" not in message.body
        assert "None" not in message.body
        assert message.body.endswith("Kettle & Pine\n")
    assert full.body.startswith("Hello Alice Archer,\n")
    assert least.body.startswith("Hello,\n")


@pytest.mark.parametrize("kind", sorted(messages.NEEDS))
def test_needs_of_a_kind_are_the_names_in_its_template(kind):
    with pytest.raises(MissingData) as refused:
        messages.compose(kind, {}, order_id=ORDER, to="a@example.com")

    assert refused.value.names == sorted(DATA[kind])


def test_a_declined_card_is_told_with_how_long_another_one_can_be_tried():
    body = compose("payment_declined").body

    assert "over $51.49 was declined. Nothing was charged.\n" in body
    assert "We hold your things until 14:05 UTC." in body
    assert "pay with another card:\nhttps://shop.example/orders/1/\n" in body


def test_the_cancellation_mentions_the_refund():
    assert "We have sent $51.49 back to your card." in compose("order_cancelled").body
    assert "Nothing was charged." in compose("order_cancelled", refund="").body
    assert "is cancelled: sold out.\n" in compose("order_cancelled", reason="sold out.").body


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownKind):
        messages.compose("newsletter", COMMON, order_id=ORDER, to="a@example.com")


def test_names_add_no_headers_and_no_direction_overrides():
    message = compose(
        "order_confirmed",
        number="K7\r\nBcc: everyone@example.com",
        name="Eve\x00\u202e",
    )

    assert message.subject == ("Your Kettle & Pine order K7 Bcc: everyone@example.com is confirmed")
    assert message.body.startswith("Hello Eve,\n")


def test_a_subject_fits_its_column():
    assert len(compose("order_confirmed", number="7" * 500).subject) == messages.SUBJECT_MAX


def test_mail_about_a_failed_payment_is_not_called_cancelled():
    message = compose("order_cancelled", refund="", unpaid=True)

    assert message.subject == "The payment for your Kettle & Pine order K7M2 did not go through"
    assert "cancelled" not in message.body
    assert "You can pay another way" in message.body
