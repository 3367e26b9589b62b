"""Every usual spelling of a state or province is understood; what is none is unknown."""

import pytest

from apps.core import postal_data
from apps.taxes import regions

CALIFORNIA = [
    "CA", "ca", " Ca ", "C.A.", "California", "CALIFORNIA", "california.", "Calif.", "Cali",
    "California (CA)", "CA (California)", "CA - California", "CA/California", "US-CA",
    "State of California", "the State of California", "California State", "California, USA",
    "CA, US", "CA, United States of America", "CA 94105", "CA 94105-1234", "California 94105",
    "ＣＡ", "Ｃａｌｉｆｏｒｎｉａ", "\u202aCA\u202c", "C\u200bA", "Californi\u0061",
]  # fmt: skip


@pytest.mark.parametrize("typed", CALIFORNIA)
def test_california_is_understood(typed: str) -> None:
    assert regions.known("US", typed) == "CA"
    assert regions.canonical("US", typed) == "CA"


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("N.Y.", "NY"), ("New York, NY", "NY"), ("new  york", "NY"), ("Mass.", "MA"),
        ("Commonwealth of Massachusetts", "MA"), ("Washington", "WA"), ("Washington State", "WA"),
        ("Washington, D.C.", "DC"), ("D.C.", "DC"), ("West Virginia", "WV"), ("W. Va.", "WV"),
        ("Virginia", "VA"), ("N. Carolina", "NC"), ("Puerto Rico", "PR"), ("Guam", "GU"),
        ("Armed Forces Europe", "AE"), ("AP", "AP"), ("U.S. Virgin Islands", "VI"),
    ],
)  # fmt: skip
def test_other_states_are_understood(typed: str, code: str) -> None:
    assert regions.known("US", typed) == code


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("Ontario", "ON"), ("ont.", "ON"), ("CA-ON", "ON"), ("Province of Ontario", "ON"),
        ("ON K1A 0B1", "ON"), ("Ontario, Canada", "ON"), ("Québec", "QC"), ("QUEBEC (QC)", "QC"),
        ("Province de Québec", "QC"), ("P.E.I.", "PE"), ("Île-du-Prince-Édouard", "PE"),
        ("Newfoundland & Labrador", "NL"), ("Nouvelle-Écosse", "NS"), ("B.C.", "BC"),
    ],
)  # fmt: skip
def test_provinces_are_understood_in_both_languages(typed: str, code: str) -> None:
    assert regions.known("CA", typed) == code


@pytest.mark.parametrize(
    "typed",
    [
        "Californa", "XX", "СА", "CА", "Саlifornia", "California (NY)", "CA or NY", "94105", "USA",
        "Paris", "-", "", "Washington, Oregon", "C", "State of", "Ontario",
    ],
)  # fmt: skip
def test_what_is_no_state_is_unknown(typed: str) -> None:
    assert regions.known("US", typed) is None


def test_every_name_and_code_of_the_data_is_understood() -> None:
    for country in regions.DECIDES_TAX:
        known = postal_data.regions(country)
        assert len(known) == {"US": 62, "CA": 13}[country]
        for region in known:
            for spelling in (region.code, *region.names, region.code.lower()):
                assert regions.known(country, spelling) == region.code


def test_no_spelling_of_one_region_is_a_spelling_of_another() -> None:
    for country, also in regions._ALSO.items():
        for code, spellings in also.items():
            assert [regions.known(country, one) for one in spellings.split(",")] == [code] * len(
                spellings.split(",")
            )


def test_regions_elsewhere_are_equal_where_the_data_knows_both_spellings() -> None:
    assert regions.canonical("JP", "Tokyo") == regions.canonical("JP", "東京都")
    assert regions.canonical("DE", " Bayern. ") == regions.canonical("DE", "bayern")
    assert regions.canonical("DE", "Bayern") != regions.canonical("DE", "Berlin")
    assert regions.canonical("DE", "") == ""
