"""Shipping and taxes: typed as people write them, and true in the shop at once."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.shipping import rates
from apps.shipping.models import Method, Rate, Shipment, Zone
from apps.taxes.models import TaxRate
from apps.taxes.rates import tax_for
from tests.backoffice.conftest import (
    errors,
    form_of,
    order_page,
    save,
)
from tests.factories import (
    MethodFactory,
    OrderFactory,
    RateFactory,
    ShipmentFactory,
    TaxRateFactory,
    ZoneFactory,
    ship_everywhere,
)

pytestmark = pytest.mark.django_db


def page(row: Any, view: str = "change") -> str:
    meta = row._meta
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{view}", args=[row.pk])


def new_rate(**entries: Any) -> dict[str, Any]:
    n = entries.pop("n", 0)
    typed = {"basis": "weight", "at_least": "0", "below": "", "price_amount": "5.99"} | entries
    return {"rates-TOTAL_FORMS": n + 1} | {f"rates-{n}-{k}": v for k, v in typed.items()}


def only_rate() -> tuple[Any, ...]:
    rate = Rate.objects.get()
    return rate.basis, rate.at_least, rate.below, rate.price_amount, rate.currency


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ({"at_least": "500", "below": "2000"}, ("weight", 500, 2000, 599, "USD")),
        (
            {"basis": "total", "at_least": "75.00", "price_amount": "0"},
            ("total", 7500, None, 0, "USD"),
        ),
    ],
)
def test_band_is_typed_in_grams_or_in_money(
    staff: Client, typed: dict[str, str], stored: tuple[Any, ...]
) -> None:
    zone, method = ZoneFactory(name="Home", countries=["US"]), MethodFactory()

    answer = save(staff, page(zone), **new_rate(method=method.pk, **typed))

    assert answer.status_code == 302, errors(answer)
    assert only_rate() == stored


def test_untouched_rates_stay_what_they_are(staff: Client) -> None:
    rate = RateFactory(basis="total", at_least=7500, below=9950, price_amount=1234)

    for row in (rate.zone, rate.method):
        assert save(staff, page(row)).status_code == 302
    assert only_rate() == ("total", 7500, 9950, 1234, "USD")
    assert 'value="75.00"' in staff.get(page(rate.zone)).content.decode()


@pytest.mark.parametrize(
    ("typed", "at_fault"),
    [
        ({"price_amount": "-1"}, "price_amount"),
        ({"at_least": "1.5"}, "at_least"),
        ({"at_least": "heavy"}, "at_least"),
        ({"at_least": "500", "below": "500"}, "below"),
        ({"basis": "total", "at_least": "75.001"}, "at_least"),
    ],
)
def test_bad_rate_is_named_beside_its_field(
    staff: Client, typed: dict[str, str], at_fault: str
) -> None:
    zone, method = ZoneFactory(), MethodFactory()

    answer = save(staff, page(zone), **new_rate(method=method.pk, **typed))

    assert list(errors(answer)) == [f"rates-0-{at_fault}"]
    assert not Rate.objects.exists()


def test_changed_price_holds_at_once(staff: Client) -> None:
    ship_everywhere(price=599)
    asked = {"country": "US", "weight_grams": 350, "subtotal_amount": 1800, "currency": "USD"}
    assert rates.price("standard", **asked).price_amount == 599

    save(staff, page(Zone.objects.get()), **{"rates-0-price_amount": "7.50"})

    assert rates.price("standard", **asked).price_amount == 750


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("us, CA,us", ["US", "CA"]), ("*", ["*"]), ("XX, US", None), (" , ", None)],
)
def test_countries_are_codes(staff: Client, typed: str, stored: list[str] | None) -> None:
    zone = ZoneFactory(name="Home", countries=["DE"])

    answer = save(staff, page(zone), countries=typed)

    zone.refresh_from_db()
    assert zone.countries == (stored or ["DE"])
    if stored is None:
        assert list(errors(answer)) == ["countries"]


def test_method_names_a_carrier_that_there_is(staff: Client) -> None:
    add = reverse("admin:shipping_method_add")
    typed = {"name": "Pigeon", "code": "pigeon", "min_days": 1, "max_days": 2, "position": 1}

    answer = staff.post(add, {**form_of(staff, add), **typed, "carrier": "pigeon-post"})
    assert list(errors(answer)) == ["carrier"]

    staff.post(add, {**form_of(staff, add), **typed, "carrier": "local"})
    assert Method.objects.get().carrier == "local"


def test_code_of_a_method_is_fixed(staff: Client) -> None:
    method = MethodFactory(code="standard")

    save(staff, page(method), code="other", name="Slow", min_days=3, max_days=2)
    save(staff, page(method), code="other", name="Slow")

    method.refresh_from_db()
    assert (method.code, method.name) == ("standard", "Slow")


def test_parcels_are_found_by_order(staff: Client) -> None:
    order = OrderFactory(number="KP-BOX")
    ShipmentFactory(order_id=order.pk)
    ShipmentFactory()
    url = reverse("admin:shipping_shipment_changelist")

    assert len(staff.get(url, {"q": "kp-box"}).context["cl"].result_list) == 1
    assert order_page(order) in staff.get(url).content.decode()
    assert staff.post(page(Shipment.objects.first()), {"state": "x"}).status_code == 403


def test_tax_is_typed_in_per_cent_and_holds_at_once(staff: Client) -> None:
    add = reverse("admin:taxes_taxrate_add")
    typed = {"country": "US", "region": "California", "name": "Sales tax", "rate_bp": "7.25"}

    answer = staff.post(add, typed)

    assert answer.status_code == 302, errors(answer)
    assert TaxRate.objects.get().rate_bp == 725
    owed = tax_for(country="US", region="CA", taxable_amounts=[10_000], shipping_amount=0)
    assert owed.total == 725


@pytest.mark.parametrize(
    ("typed", "at_fault"),
    [
        ({"region": "ca"}, "region"),
        ({"region": " US-CA "}, "region"),
        ({"rate_bp": "101"}, "rate_bp"),
        ({"rate_bp": "8.255"}, "rate_bp"),
        ({"country": "XX"}, "country"),
        ({"region": "--"}, "region"),
    ],
)
def test_bad_tax_rate_is_named_beside_its_field(
    staff: Client, typed: dict[str, str], at_fault: str
) -> None:
    TaxRateFactory(country="US", region="California")
    add = reverse("admin:taxes_taxrate_add")
    entries = {"country": "US", "region": "Oregon", "name": "Sales tax", "rate_bp": "1"} | typed

    assert list(errors(staff.post(add, entries))) == [at_fault]
    assert TaxRate.objects.count() == 1


def test_looker_reads_and_types_nothing(looker: Client) -> None:
    rate = RateFactory(basis="total", at_least=7500, price_amount=123456)
    tax = TaxRateFactory(rate_bp=825)

    zone_page = looker.get(page(rate.zone)).content.decode()
    assert "$1,234.56" in zone_page and "from $75.00" in zone_page and "123456" not in zone_page
    assert "8.25 %" in looker.get(page(tax)).content.decode()
    for row in (rate.zone, rate.method, tax):
        assert looker.post(page(row), {"name": "x"}).status_code == 403
