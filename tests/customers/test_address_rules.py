"""Regions, postal codes and countries of an address, by the data that the shop keeps of them."""

from typing import Any

import pytest

from apps.customers import addresses, countries
from apps.customers.addresses import AddressInvalid
from tests.factories import ADDRESS

HOME = {"city": "San Francisco", "region": "CA", "postal_code": "94105", "country": "US"}


def clean(**changes: Any) -> dict[str, str]:
    return addresses.clean_address(ADDRESS | HOME | changes)


def refused(**changes: Any) -> list[tuple[str, str]]:
    with pytest.raises(AddressInvalid) as refusal:
        clean(**changes)
    assert all(error.message for error in refusal.value.errors)
    return [(error.field, error.code) for error in refusal.value.errors]


@pytest.mark.parametrize("typed", ["california", "State of California", "CA 94105", "ＣＡ", "Cali"])
def test_region_is_kept_as_its_code_where_it_decides_the_tax(typed: str) -> None:
    assert clean(region=typed)["region"] == "CA"


@pytest.mark.parametrize("typed", ["Californa", "XX", "CА", "Paris"])
def test_unknown_region_is_refused_where_it_decides_the_tax(typed: str) -> None:
    assert refused(region=typed) == [("region", "region_unknown")]


def test_region_elsewhere_is_kept_as_it_was_typed() -> None:
    assert clean(country="DE", region="Bayern", postal_code="80331")["region"] == "Bayern"


@pytest.mark.parametrize(
    ("region", "postal_code"),
    [("CA", "97201"), ("OR", "94105"), ("NY", "07030"), ("DC", "22201"), ("NJ", "10001")],
)
def test_postal_code_of_another_state_is_refused(region: str, postal_code: str) -> None:
    assert refused(region=region, postal_code=postal_code) == [
        ("postal_code", "postal_code_of_another_region")
    ]


@pytest.mark.parametrize(
    ("region", "postal_code"),
    [
        ("NY", "06390"),  # Fishers Island, reached by Connecticut
        ("NY", "00501"),
        ("DC", "20500"),
        ("AE", "09012"),
        ("PR", "00901"),
        ("GU", "96910"),
        ("TX", "88510"),
    ],
)
def test_postal_codes_far_from_the_rest_of_their_state_are_taken(
    region: str, postal_code: str
) -> None:
    assert clean(region=region, postal_code=postal_code)["postal_code"] == postal_code


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("94105-1234", "94105-1234"), ("941051234", "94105-1234"), ("９４１０５", "94105"),
     ("94105\u20111234", "94105-1234"), (" 94105\u200b", "94105"), ("٩٤١٠٥", "94105")],
)  # fmt: skip
def test_zip_code_is_kept_in_its_usual_form(typed: str, kept: str) -> None:
    assert clean(postal_code=typed)["postal_code"] == kept


@pytest.mark.parametrize("typed", ["9410", "ABCDE", "941055", "SW1A 1AA"])
def test_what_is_no_zip_code_is_refused(typed: str) -> None:
    assert refused(postal_code=typed) == [("postal_code", "invalid")]


def test_canadian_postal_code_has_to_fit_its_province() -> None:
    ottawa = {"country": "CA", "city": "Ottawa", "region": "Ontario"}
    kept = clean(**ottawa, postal_code="k1a0b1")
    assert (kept["region"], kept["postal_code"]) == ("ON", "K1A 0B1")
    assert refused(**ottawa, postal_code="V8X 3X4") == [
        ("postal_code", "postal_code_of_another_region")
    ]
    assert refused(**ottawa, postal_code="94105") == [("postal_code", "invalid")]


def test_territory_with_zip_codes_has_only_its_own() -> None:
    san_juan = {"country": "PR", "city": "San Juan", "region": ""}
    assert clean(**san_juan, postal_code="00901")["postal_code"] == "00901"
    assert refused(**san_juan, postal_code="94105") == [("postal_code", "invalid")]


@pytest.mark.parametrize("country", ["KE", "NG", "CO", "MA", "PK", "LK", "TW", "XK", "HK", "IE"])
def test_countries_in_which_people_write_no_postal_code(country: str) -> None:
    assert clean(country=country, region="", postal_code="")["postal_code"] == ""


@pytest.mark.parametrize("country", ["US", "CA", "DE", "FR", "GB", "JP", "AU", "IT", "SE", "CH"])
def test_countries_that_need_a_postal_code(country: str) -> None:
    region = {"US": "CA", "CA": "ON"}.get(country, "")
    assert refused(country=country, region=region, postal_code="") == [("postal_code", "required")]


@pytest.mark.parametrize(
    ("country", "typed", "kept"),
    [("CH", "CH-8001", "8001"), ("LU", "l-1009", "1009"), ("GB", "sw1a 1aa", "SW1A 1AA"),
     ("NL", "1234 ab", "1234 AB"), ("JP", "１００－０００１", "100-0001"), ("DE", "1234", "1234")],
)  # fmt: skip
def test_postal_codes_elsewhere_are_tidied_and_not_refused(
    country: str, typed: str, kept: str
) -> None:
    assert clean(country=country, region="", postal_code=typed)["postal_code"] == kept


def test_kosovo_is_a_country() -> None:
    assert countries.names()["XK"] == "Kosovo"
    assert clean(country="xk", city="Prishtina", region="", postal_code="10000")["country"] == "XK"


def test_invisible_characters_are_removed_from_every_part() -> None:
    marked = {name: f"\u2066{value}\u200b\u2069" for name, value in (ADDRESS | HOME).items()}
    assert addresses.clean_address(marked) == ADDRESS | HOME


def test_name_of_nothing_but_invisible_characters_is_no_name() -> None:
    assert refused(name="\u200b\u3164") == [("name", "required")]


def test_clean_address_stays_as_it_is() -> None:
    once = clean(region="Calif.", postal_code="941051234", phone="(503) 555-0100 ext. 12")
    assert addresses.clean_address(once) == once
