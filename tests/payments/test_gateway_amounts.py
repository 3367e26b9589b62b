"""Stripe's numbers for the shop's amounts: each currency there and back, the smallest charge."""

from typing import Any

import moneyed
import pytest
from hypothesis import given
from hypothesis import strategies as some

from apps.core import money
from apps.payments import gateway_amounts
from apps.payments.gateway_amounts import from_gateway, same, smallest_charge, to_gateway
from apps.payments.stripe_gateway import StripeGateway
from apps.payments.stripe_shapes import read_intent, read_refund
from tools.stripe_sandbox import params

SOLD_IN = sorted({code.upper() for code in params.CURRENCIES} & set(moneyed.CURRENCIES))
CURRENCIES = some.sampled_from(sorted(moneyed.CURRENCIES))
AMOUNTS = some.integers(0, 10**12)


@pytest.mark.parametrize(
    ("text", "currency", "number"),
    [
        ("5", "ISK", 500),
        ("1999", "UGX", 199_900),
        ("500", "JPY", 500),
        ("1500", "MGA", 1500),
        ("5.120", "KWD", 5120),
        ("5.125", "KWD", 5120),  # the last digit must be 0, and nobody pays more than they saw
        ("19.99", "BHD", 19_990),
        ("19.99", "USD", 1999),
        ("17.50", "HUF", 1750),
        ("300.00", "TWD", 30_000),
    ],
)
def test_amount_is_counted_as_stripe_counts_it(text: str, currency: str, number: int) -> None:
    assert to_gateway(money.to_minor(text, currency), currency) == number


@pytest.mark.parametrize("currency", sorted(gateway_amounts.NO_DECIMALS))
def test_currencies_without_decimals_are_sent_whole(currency: str) -> None:
    assert to_gateway(money.to_minor("1234", currency), currency) == 1234
    assert money.decimal_string(from_gateway(1234, currency), currency).startswith("1234")


@given(AMOUNTS, CURRENCIES)
def test_there_and_back_is_the_same_amount(minor: int, currency: str) -> None:
    number = to_gateway(minor, currency)
    back = from_gateway(number, currency)

    assert back <= minor, "nobody is charged more than they saw"
    assert same(back, minor, currency)
    assert to_gateway(back, currency) == number, "and what comes back is sent back as it came"


@given(AMOUNTS, some.sampled_from(SOLD_IN))
def test_what_stripe_takes_is_read_without_loss(number: int, currency: str) -> None:
    step = {"ISK": 100, "UGX": 100}.get(currency, 1)
    step = 10 if currency in gateway_amounts.THREE_DECIMALS else step
    taken = number * step

    params.check_step(taken, currency.lower(), "amount")
    assert to_gateway(from_gateway(taken, currency), currency) == taken


@given(some.lists(some.integers(1, 10**9), min_size=1, max_size=6), CURRENCIES)
def test_parts_never_send_back_more_than_was_taken(parts: list[int], currency: str) -> None:
    taken = to_gateway(sum(parts), currency)
    assert sum(to_gateway(part, currency) for part in parts) <= taken


@given(AMOUNTS, some.sampled_from(SOLD_IN))
def test_what_is_sent_is_what_the_sandbox_takes(minor: int, currency: str) -> None:
    params.check_step(to_gateway(minor, currency), currency.lower(), "amount")


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_a_cent_is_a_difference(currency: str) -> None:
    assert same(100, 100, currency)
    assert not same(100, 101, currency)
    assert not same(101, 100, currency)


def test_less_than_a_step_is_no_difference() -> None:
    assert same(5120, 5125, "KWD")
    assert not same(5120, 5130, "KWD")


@pytest.mark.parametrize(
    ("currency", "least"),
    [("USD", "0.50"), ("GBP", "0.30"), ("JPY", "50"), ("HUF", "175.00"), ("AED", "2.00"),
     ("KWD", "0.010"), ("MGA", "1.00"), ("ISK", "1"), ("ZAR", "0.01")],
)  # fmt: skip
def test_smallest_charge(currency: str, least: str) -> None:
    assert smallest_charge(currency) == money.to_minor(least, currency)


def test_smallest_charges_are_those_of_the_sandbox() -> None:
    ours = {code.lower(): least for code, least in gateway_amounts.SMALLEST_CHARGE.items()}
    assert ours == params.SMALLEST_CHARGE


def test_currency_of_another_system_is_left_as_it_is() -> None:
    assert (to_gateway(7, "USDC"), from_gateway(7, "USDC")) == (7, 7)


@pytest.mark.parametrize(
    ("currency", "minor", "number"), [("ISK", 2500, 250_000), ("KWD", 2500, 2500)]
)
def test_whole_life_of_a_payment_in_another_currency(
    gateway: StripeGateway, client: Any, currency: str, minor: int, number: int
) -> None:
    intent = gateway.authorize(
        key="a",
        amount=minor,
        currency=currency,
        payment_method="pm_card_visa",
        metadata={"payment_id": "p-1"},
        return_url="https://shop.example/",
    )
    shown = client.v1.payment_intents.retrieve(intent.id)
    assert (shown.amount, intent.amount, intent.amount_capturable) == (number, minor, minor)

    taken = gateway.capture(intent.id, key="c", amount=minor, currency=currency)
    sent = gateway.refund(intent.id, key="r", amount=100, currency=currency, metadata={})

    assert (taken.amount_received, sent.amount) == (minor, 100)
    again = gateway.retrieve(intent.id)
    assert (again.amount_received, again.amount_refunded) == (minor, 100)
    assert [refund.amount for refund in gateway.retrieve_refunds(intent.id)] == [100]
    (listed,) = gateway.list_intents(created_after=again.created_at)
    assert listed == again


def test_webhooks_are_read_in_the_shops_units(client: Any) -> None:
    made = client.v1.payment_intents.create(
        {
            "amount": 250_000,
            "currency": "isk",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "payment_method_types": ["card"],
        }
    )
    refund = client.v1.refunds.create({"payment_intent": made.id, "amount": 500})

    assert read_intent(made.to_dict()).amount == 2500
    assert read_refund(refund.to_dict()).amount == 5
