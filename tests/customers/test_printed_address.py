"""Each country's own order, and nothing that was typed is lost."""

import pytest

from apps.customers import countries, printed_address

ALICE = {"name": "Alice Archer", "line1": "12 Pine Street", "line2": "", "region": ""}


@pytest.mark.parametrize(
    ("place", "lines"),
    [
        (
            {"city": "Portland", "region": "OR", "postal_code": "97214", "country": "US"},
            ["Portland, OR 97214", "United States of America"],
        ),
        (
            {"city": "Berlin", "postal_code": "10115", "country": "DE"},
            ["10115 Berlin", "Germany"],
        ),
        (
            {"city": "London", "postal_code": "EC1Y 8SY", "country": "GB"},
            ["London", "EC1Y 8SY", "United Kingdom"],
        ),
        (
            {"city": "Zürich", "postal_code": "8001", "country": "CH"},
            ["CH-8001 Zürich", "Switzerland"],
        ),
        (
            {"city": "Bolzano", "region": "BZ", "postal_code": "39100", "country": "IT"},
            ["39100 Bolzano BZ", "Italy"],
        ),
        ({"city": "Singapore", "postal_code": "018956", "country": "SG"},
         ["Singapore", "018956", "Singapore"]),
        ({"city": "Nairobi", "postal_code": "", "country": "KE"}, ["Nairobi", "Kenya"]),
    ],
)  # fmt: skip
def test_city_and_postal_code_stand_as_in_the_country(
    place: dict[str, str], lines: list[str]
) -> None:
    assert printed_address.lines(ALICE | place) == ["Alice Archer", "12 Pine Street", *lines]


def test_japanese_address_begins_with_the_large_in_its_own_letters() -> None:
    taro = {"name": "山田 太郎", "line1": "千代田1-1", "city": "千代田区", "region": "東京都",
            "postal_code": "100-0001", "country": "JP"}  # fmt: skip
    assert printed_address.lines(taro) == [
        "〒100-0001", "東京都", "千代田区", "千代田1-1", "山田 太郎", "Japan",
    ]  # fmt: skip


def test_japanese_address_in_latin_letters_begins_with_the_name() -> None:
    taro = {"name": "Taro Yamada", "line1": "1-1 Chiyoda", "city": "Tokyo", "region": "",
            "postal_code": "100-0001", "country": "JP"}  # fmt: skip
    assert printed_address.lines(taro) == [
        "Taro Yamada", "1-1 Chiyoda", "Tokyo", "100-0001", "Japan",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["Alice Archer", "山田 太郎"])
def test_no_part_is_lost_in_any_country(name: str) -> None:
    typed = {"name": name, "line1": "12 Pine Street", "line2": "Floor 3", "city": "Anytown",
             "region": "Anyshire", "postal_code": "12345"}  # fmt: skip
    for code, country in countries.names().items():
        printed = printed_address.lines(typed | {"country": code})
        assert printed[-1] == country
        for part in typed.values():
            assert sum(part in line for line in printed) == 1, (code, part, printed)


def test_empty_parts_leave_no_separators() -> None:
    for code in countries.names():
        for line in printed_address.lines(ALICE | {"city": "Anytown", "country": code}):
            assert line == line.strip(" ,-/"), (code, line)


def test_address_of_an_older_form_is_printed_as_far_as_it_goes() -> None:
    assert printed_address.lines({}) == []
    assert printed_address.lines({"name": "Alice", "country": "QQ"}) == ["Alice", "QQ"]
