"""The words of each mail."""

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
    "payment_failed": {**COMMON, "reason": "Your card was declined.", "total": "$51.49"},
    "order_cancelled": {**COMMON, "reason": "", "refund": "$51.49"},
    "order_shipped": {
        **COMMON,
        "tracking_number": "KP3V27MHKAW0JKMGCCB",
        "carrier": "Kettle & Pine van",
        "estimate": "Nov 24 – Nov 27",
        "address": ["Alice Archer", "12 Pine Street"],
    },
    "return_received": {**COMMON, "lines": LINES, "refund": "$45.50"},
}


def compose(kind, **changes):
    return messages.compose(kind, {**DATA[kind], **changes}, order_id=ORDER, to="a@example.com")


def test_the_confirmation_reads_like_this():
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
def test_each_kind_is_whole_with_all_and_with_the_least(kind):
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
def test_what_a_kind_needs_is_what_its_text_names(kind):
    with pytest.raises(MissingData) as refused:
        messages.compose(kind, {}, order_id=ORDER, to="a@example.com")

    assert refused.value.names == sorted(DATA[kind])


def test_a_cancelled_order_tells_about_the_money():
    assert "We have sent $51.49 back to your card." in compose("order_cancelled").body
    assert "Nothing was charged." in compose("order_cancelled", refund="").body
    assert "is cancelled: sold out.\n" in compose("order_cancelled", reason="sold out.").body


def test_an_unknown_kind_is_refused():
    with pytest.raises(UnknownKind):
        messages.compose("newsletter", COMMON, order_id=ORDER, to="a@example.com")


def test_nobody_writes_headers_or_backwards():
    message = compose(
        "order_confirmed",
        number="K7\r\nBcc: everyone@example.com",
        name="Eve\x00\u202e",
    )

    assert message.subject == ("Your Kettle & Pine order K7 Bcc: everyone@example.com is confirmed")
    assert message.body.startswith("Hello Eve,\n")


def test_a_subject_fits_its_column():
    assert len(compose("order_confirmed", number="7" * 500).subject) == messages.SUBJECT_MAX
