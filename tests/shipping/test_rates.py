"""The price of shipping by destination, weight and value."""

import pytest

from apps.shipping import rates
from apps.shipping.models import Rate
from apps.shipping.rates import MethodQuote, NotShippable
from tests.factories import MethodFactory, RateFactory, ZoneFactory

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_cache():
    rates.forget()
    yield
    rates.forget()


@pytest.fixture
def home():
    return ZoneFactory(name="United States", countries=["US"])


@pytest.fixture
def world():
    return ZoneFactory(name="Everywhere else", countries=["*"])


@pytest.fixture
def standard():
    return MethodFactory(code="standard", name="Standard", min_days=3, max_days=5, position=1)


@pytest.fixture
def express():
    return MethodFactory(code="express", name="Express", min_days=1, max_days=2, position=2)


def price(code="standard", country="US", weight=500, subtotal=2_000, currency="USD"):
    return rates.price(
        code, country=country, weight_grams=weight, subtotal_amount=subtotal, currency=currency
    ).price_amount


def offered(country="US", weight=500, subtotal=2_000):
    quotes = rates.methods_for(
        country=country, weight_grams=weight, subtotal_amount=subtotal, currency="USD"
    )
    return [(quote.code, quote.price_amount) for quote in quotes]


def test_a_quote_has_name_price_and_days(home, standard):
    RateFactory(zone=home, method=standard, price_amount=599)

    quote = rates.price("standard", country="US", weight_grams=0, subtotal_amount=0, currency="USD")

    assert quote == MethodQuote("standard", "Standard", 599, "USD", 3, 5)


def test_methods_are_in_the_order_of_the_shop(home, standard, express):
    RateFactory(zone=home, method=express, price_amount=1_500)
    RateFactory(zone=home, method=standard, price_amount=599)

    assert offered() == [("standard", 599), ("express", 1_500)]


def test_bands_of_weight_begin_at_their_lower_end(home, standard):
    RateFactory(zone=home, method=standard, at_least=0, below=1_000, price_amount=599)
    RateFactory(zone=home, method=standard, at_least=1_000, below=5_000, price_amount=999)

    assert price(weight=0) == 599
    assert price(weight=999) == 599
    assert price(weight=1_000) == 999
    assert price(weight=4_999) == 999
    with pytest.raises(NotShippable):
        price(weight=5_000)


def test_a_band_without_an_upper_end_fits_any_weight(home, standard):
    RateFactory(zone=home, method=standard, at_least=0, below=None, price_amount=599)

    assert price(weight=10**9) == 599


def test_free_above_a_total_is_combined_with_bands_of_weight(home, standard):
    RateFactory(zone=home, method=standard, price_amount=599)
    RateFactory(zone=home, method=standard, basis=Rate.Basis.TOTAL, at_least=7_500, price_amount=0)

    assert price(subtotal=7_499) == 599
    assert price(subtotal=7_500) == 0


def test_everywhere_else_excludes_countries_with_a_zone(home, world, standard, express):
    RateFactory(zone=home, method=standard, price_amount=599)
    RateFactory(zone=world, method=standard, price_amount=1_999)
    RateFactory(zone=world, method=express, price_amount=4_999)

    assert offered("US") == [("standard", 599)]
    assert offered("NZ") == [("standard", 1_999), ("express", 4_999)]


def test_a_zone_without_rates_gets_nothing(home, world, standard):
    RateFactory(zone=world, method=standard, price_amount=1_999)

    assert offered("US") == []
    with pytest.raises(NotShippable) as refused:
        price(country="US")
    assert (refused.value.method_code, refused.value.country) == ("standard", "US")


def test_in_two_zones_the_cheaper_rate_applies(home, standard):
    neighbours = ZoneFactory(name="North America", countries=["US", "CA", "MX"])
    RateFactory(zone=neighbours, method=standard, price_amount=999)
    RateFactory(zone=home, method=standard, price_amount=599)

    assert price(country="US") == 599
    assert price(country="CA") == 999


def test_a_country_code_in_lower_case_is_accepted(home, standard):
    RateFactory(zone=home, method=standard, price_amount=599)

    assert price(country="us") == 599


def test_an_inactive_method_is_not_offered_but_still_carried(home, express):
    RateFactory(zone=home, method=express, price_amount=1_500)
    express.active = False
    express.save()

    assert offered() == []
    with pytest.raises(NotShippable):
        price("express")
    assert rates.service("express") == rates.Service("local", 1, 2)


def test_another_currency_is_no_price(home, standard):
    RateFactory(zone=home, method=standard, price_amount=599)

    with pytest.raises(NotShippable):
        price(currency="EUR")


def test_unknown_methods_and_empty_tables_are_refused():
    with pytest.raises(NotShippable):
        price("no-such-method")
    assert offered() == []


def test_prices_are_cached_until_a_rate_changes(home, standard, django_assert_num_queries):
    rate = RateFactory(zone=home, method=standard, price_amount=599)
    assert price() == 599

    with django_assert_num_queries(0):
        assert price() == 599
        assert offered() == [("standard", 599)]

    rate.price_amount = 699
    rate.save()
    assert price() == 699
    home.countries = ["CA"]
    home.save()
    assert offered("US") == []
