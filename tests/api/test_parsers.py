"""Bodies: what is refused before anything has seen it."""

import json

import pytest

from apps.api.parsers import BODY_MAX, read_object
from apps.core.card_data import is_card_number
from apps.core.problems import Problem


def refusal(body: bytes) -> tuple[int, str]:
    with pytest.raises(Problem) as refused:
        read_object(body)
    return refused.value.status_code, refused.value.code


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'"text"',
        b"null",
        b"{",
        b"\xff{}",
        b"\xef\xbb\xbf{}",
        b'{"a": 1, "a": 2}',
        b'{"outer": {"a": 1, "a": 2}}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": "\x00"}',
        b'{"a": "\\u0000"}',
        b'{"\\u0000": 1}',
        b'{"a": ["\\ud800"]}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": ' * 1000 + b"1" + b"}" * 1000,
        b"[" * 60_000,
        b'{"a":' + b'\\"' * 30_000,
    ],
)
def test_malformed_body_is_refused(body):
    assert refusal(body) == (400, "malformed_body")


def test_brackets_in_text_do_not_count_as_depth():
    assert read_object(json.dumps({"a": "[" * 100}).encode()) == {"a": "[" * 100}


def test_many_siblings_are_not_deep():
    lines = [{"sku": str(number)} for number in range(100)]

    assert read_object(json.dumps({"lines": lines}).encode()) == {"lines": lines}


@pytest.mark.parametrize(
    "fields",
    [
        {"note": "4242424242424242"},
        {"note": "4242 4242 4242 4242"},
        {"note": "4242-4242-4242-4242"},
        {"note": "4242.4242.4242.4242"},
        {"note": "my card is 5555555555554444, thanks"},
        {"note": "x4242424242424242x"},
        {"amex": "378282246310005"},
        {"old_visa": "4222222222222"},
        {"jcb": "3530111333300000"},
        {"number": 4242424242424242},
        {"number": 4242424242424242.0},
        {"4242424242424242": True},
        {"deep": [{"down": ["4242424242424242"]}]},
        {"full_width": "４２４２４２４２４２４２４２４２"},
        {"shipping_address": {"line2": "4242424242424242"}},
        {"shipping_address": {"phone": "4242424242424242"}},
        {"payment_method": {"card": {"number": "tok"}}},
        {"card": {"exp_month": 1}},
        {"cvc": "123"},
        {"CVV": 123},
        {"card_number": ""},
        {"cardNumber": "later"},
    ],
)
def test_card_data_anywhere_is_refused(fields):
    assert refusal(json.dumps(fields).encode()) == (400, "card_data_refused")
    assert refusal(json.dumps(fields, ensure_ascii=False).encode()) == (400, "card_data_refused")


def test_escaped_digits_hide_no_card():
    assert refusal(b'{"a": "\\u0034242424242424242"}') == (400, "card_data_refused")


@pytest.mark.parametrize(
    "fields",
    [
        {"phone": "+49 1512 3456789"},
        {"phone": "+1 (503) 555-0100"},
        {"phone": "0049 1512 3456789"},
        {"postal_code": "97201-1234"},
        {"cart": "0198b2c4-1234-7123-8123-123456789012"},
        {"cart": "42424242-4242-4242-8242-424242424242"},
        {"sku": "4006381333931"},
        {"payment_method": "pm_card_visa"},
        {"payment_method": "pm_1NqXkT2eZvKYlo2C4242x"},
        {"note": "1234567890123456"},  # no check digit
        {"note": "0000000000000000"},
        {"card": "pm_card_visa"},
        {"ratio": 4.393340658571002e-207},
        {"ratio": 5.699743695892026e16},
    ],
)
def test_what_only_looks_like_a_card_passes(fields):
    assert read_object(json.dumps(fields).encode()) == fields


def test_every_phone_number_of_a_country_passes():
    """A tenth of them has a valid check digit by chance."""
    numbers = [f"+44 7911 {number:06d}" for number in range(0, 1_000_000, 997)]

    assert not any(is_card_number(number, field="phone") for number in numbers)


def test_largest_body_is_read_and_one_byte_more_is_not(api, db):
    fitting = b'{"email": "' + b"a" * (BODY_MAX - 13) + b'"}'
    assert len(fitting) == BODY_MAX

    assert api.raw("/auth/token/", fitting).status_code == 400
    assert api.raw("/auth/token/", fitting + b" ").status_code == 413
