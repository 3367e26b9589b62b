"""The most specific rate applies, once per order, rounded half up."""

import pytest

from apps.taxes import rates
from apps.taxes.models import TaxRate
from tests.factories import TaxRateFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache():
    rates.forget()
    yield
    rates.forget()


def tax(country="US", region="", goods=10_000, shipping=0):
    return rates.tax_for(
        country=country, region=region, taxable_amounts=[goods], shipping_amount=shipping
    ).total


def test_a_destination_without_a_rate_is_not_taxed():
    TaxRateFactory(country="DE", rate_bp=1900)

    assert tax("US", "CA") == 0


def test_a_regions_rate_comes_before_its_countrys():
    TaxRateFactory(country="US", region="", rate_bp=500)
    TaxRateFactory(country="US", region="CA", rate_bp=725)

    assert tax("US", "CA") == 725
    assert tax("US", "OR") == 500
    assert tax("US", "") == 500


def test_a_zero_rate_of_a_region_applies():
    TaxRateFactory(country="US", region="", rate_bp=500)
    TaxRateFactory(country="US", region="OR", rate_bp=0)

    assert tax("US", "OR") == 0


@pytest.mark.parametrize("typed", ["CA", "ca", "California", " CALIFORNIA ", "US-CA", "Calif."])
def test_a_region_is_recognised_however_it_is_typed(typed):
    TaxRateFactory(country="US", region="CA", rate_bp=725)

    assert tax("US", typed) == 725


def test_a_rate_may_be_stored_under_the_long_name():
    TaxRateFactory(country="US", region="New York", rate_bp=400)

    assert tax("US", "NY") == 400
    assert tax("us", "new york") == 400


def test_regions_of_other_countries_are_compared_as_written():
    TaxRateFactory(country="IT", region="Südtirol", rate_bp=2200)

    assert tax("IT", "südtirol") == 2200
    assert tax("IT", "Tirol") == 0


@pytest.mark.parametrize(
    ("goods", "rate_bp", "owed"),
    [
        (1999, 825, 165),  # 164.9175
        (1000, 825, 83),  # 82.5 goes up
        (100, 150, 2),  # 1.5 goes up
        (100, 149, 1),  # 1.49
        (1, 4999, 0),  # 0.4999
        (0, 825, 0),
        (999_999_999, 10_000, 999_999_999),
    ],
)
def test_tax_is_rounded_half_up(goods, rate_bp, owed):
    TaxRateFactory(rate_bp=rate_bp)

    assert tax(goods=goods) == owed


def test_shipping_is_taxed_only_where_the_rate_includes_it():
    TaxRateFactory(country="US", region="CA", rate_bp=725)
    TaxRateFactory(country="US", region="TX", rate_bp=625, taxes_shipping=True)

    assert tax("US", "CA", goods=10_000, shipping=1_000) == 725
    assert tax("US", "TX", goods=10_000, shipping=1_000) == 688  # 687.5, rounded once


def test_goods_and_shipping_are_rounded_together():
    TaxRateFactory(rate_bp=1000, taxes_shipping=True)

    # Rounded apart, 0.4 and 0.4 would be 0. Together 0.8 is one cent.
    assert tax(goods=4, shipping=4) == 1


def test_rates_are_cached_until_a_rate_changes(django_assert_num_queries):
    rate = TaxRateFactory(rate_bp=500)
    assert tax() == 500

    with django_assert_num_queries(0):
        assert tax() == 500

    rate.rate_bp = 600
    rate.save()
    assert tax() == 600
    rate.delete()
    assert tax() == 0


def test_a_change_by_another_process_is_seen_when_the_cache_expires(monkeypatch):
    TaxRateFactory(rate_bp=500)
    assert tax() == 500
    TaxRate.objects.update(rate_bp=600)  # no signal, as from another process
    assert tax() == 500

    monkeypatch.setattr("apps.core.ttl_cache.time.monotonic", clock_ahead(seconds=6))

    assert tax() == 600


def clock_ahead(*, seconds):
    import time

    monotonic = time.monotonic
    return lambda: monotonic() + seconds
