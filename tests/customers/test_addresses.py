"""The rules for addresses, and the address book."""

import threading

import pytest
from django.db import IntegrityError, transaction

from apps.customers import addresses, countries
from apps.customers.addresses import AddressBookFull, AddressInvalid, AddressNotFound
from apps.customers.models import Address
from tests.factories import ADDRESS, make_alice, make_bob
from tests.threads import at_once

# --- One check for the whole shop -----------------------------------------------------------------


def clean(**changes):
    return addresses.clean_address({**ADDRESS, **changes})


def errors_of(**changes):
    with pytest.raises(AddressInvalid) as refused:
        clean(**changes)
    assert all(error.message for error in refused.value.errors)
    return [(error.field, error.code) for error in refused.value.errors]


def test_a_good_address_is_returned_unchanged():
    assert clean() == ADDRESS


def test_other_keys_are_ignored():
    assert clean(status="paid", user=7).keys() == ADDRESS.keys()


def test_space_is_trimmed_and_joined():
    assert clean(name="  Alice \t\r\n Archer\u3000", line2=" \u00a0 ", country=" us ") == {
        **ADDRESS,
        "name": "Alice Archer",
    }


def test_a_letter_with_an_accent_is_one_letter():
    assert clean(city="Mu\u0308nchen")["city"] == "München"


def test_addresses_of_many_countries_are_accepted():
    tokyo = clean(
        name="山田 太郎",
        line1="千代田1-1",
        city="東京",
        region="",
        postal_code="100-0001",
        country="JP",
    )
    assert (tokyo["name"], tokyo["country"]) == ("山田 太郎", "JP")


@pytest.mark.parametrize("field", ["name", "line1", "city", "country", "region", "postal_code"])
@pytest.mark.parametrize("empty", ["", "   ", None])
def test_a_required_field_is_required(field, empty):
    assert errors_of(**{field: empty}) == [(field, "required")]


def test_a_missing_key_is_an_empty_field():
    with pytest.raises(AddressInvalid) as refused:
        addresses.clean_address({})

    assert [(error.field, error.code) for error in refused.value.errors] == [
        ("name", "required"),
        ("line1", "required"),
        ("city", "required"),
        ("country", "required"),
    ]


def test_a_region_is_required_where_tax_depends_on_it():
    assert errors_of(country="CA", region="", postal_code="K1A 0B1") == [("region", "required")]
    assert clean(country="DE", region="", postal_code="10115")["region"] == ""


def test_some_countries_have_no_postal_codes():
    assert clean(country="HK", region="", postal_code="")["postal_code"] == ""
    assert errors_of(country="FR", region="", postal_code="") == [("postal_code", "required")]


@pytest.mark.parametrize("country", ["XX", "USA", "United States", "ZZ", "1", "--"])
def test_an_unknown_country_is_refused(country):
    (error,) = errors_of(country=country)

    assert error in [("country", "unknown_country"), ("country", "invalid")]


@pytest.mark.parametrize(
    ("field", "longest"),
    [("name", 120), ("line1", 200), ("line2", 200), ("city", 100), ("region", 100)],
)
def test_text_that_is_too_long_is_refused(field, longest):
    london = {"country": "GB", "city": "London", "region": "", "postal_code": "EC1Y 8SY"}
    assert clean(**london | {field: "x" * longest})[field] == "x" * longest
    assert errors_of(**london | {field: "x" * (longest + 1)}) == [(field, "max_length")]


@pytest.mark.parametrize(
    "text",
    ["A\x00B", "A\x07B", "A\x1bB", "A\x7fB", "A\x85B", "A\ud800B"],
)
def test_characters_that_no_label_can_print_are_refused(text):
    assert errors_of(line1=text) == [("line1", "invalid")]


@pytest.mark.parametrize("value", [7, True, ["Alice"], {"first": "Alice"}, 1.5])
def test_a_value_that_is_no_text_is_refused(value):
    assert errors_of(name=value) == [("name", "invalid")]


def test_punctuation_alone_is_no_name():
    assert errors_of(name="---") == [("name", "invalid")]


@pytest.mark.parametrize(
    ("phone", "kept"),
    [
        ("+1 (503) 555-0100", "+15035550100"),
        ("503.555.0100 x12", "+15035550100 ext. 12"),
        ("030/1234567", "030/1234567"),
        ("", ""),
    ],
)
def test_telephone_numbers_are_written_in_many_ways(phone, kept):
    assert clean(phone=phone)["phone"] == kept


@pytest.mark.parametrize("phone", ["call me", "12", "555-0100<script>", "1" * 21])
def test_other_text_is_no_telephone_number(phone):
    assert errors_of(phone=phone) == [("phone", "invalid")]


def test_markup_is_kept_as_text():
    # It is escaped where it is shown.
    assert clean(line2="<b>4th & Main</b>")["line2"] == "<b>4th & Main</b>"


def test_all_errors_are_reported_in_the_order_of_the_form():
    assert errors_of(phone="call me", name="", country="XX", city="x" * 101) == [
        ("name", "required"),
        ("city", "max_length"),
        ("country", "unknown_country"),
        ("phone", "invalid"),
    ]


def test_there_are_as_many_countries_as_iso_has_and_kosovo():
    assert len(countries.choices()) == 249 + 1
    assert countries.names()["DE"] == "Germany"


# --- The book -------------------------------------------------------------------------------------


@pytest.fixture
def bob(db):
    return make_bob()


def errors_in(answers):
    return [type(answer) for answer in answers if isinstance(answer, Exception)]


def defaults_of(user):
    return list(Address.objects.filter(user=user, is_default=True).values_list("pk", flat=True))


def test_an_address_is_stored_clean(alice):
    written = addresses.create(alice, {**ADDRESS, "name": " Alice  Archer ", "country": "us"})

    (kept,) = addresses.list_addresses(alice)
    assert kept == written
    assert addresses.as_dict(kept) == ADDRESS


def test_a_bad_address_is_not_stored(alice):
    with pytest.raises(AddressInvalid):
        addresses.create(alice, {**ADDRESS, "country": "XX"})

    assert addresses.list_addresses(alice) == []


def test_the_first_address_is_the_default_until_another_is(alice):
    first = addresses.create(alice, ADDRESS)
    second = addresses.create(alice, ADDRESS)
    assert defaults_of(alice) == [first.pk]

    third = addresses.create(alice, ADDRESS, make_default=True)
    assert defaults_of(alice) == [third.pk]
    assert third.is_default

    addresses.set_default(alice, second.pk)
    assert defaults_of(alice) == [second.pk]
    assert addresses.list_addresses(alice) == [second, first, third]


def test_the_oldest_address_replaces_a_deleted_default(alice):
    first, second, third = (addresses.create(alice, ADDRESS) for _ in range(3))

    addresses.delete(alice, first.pk)
    assert defaults_of(alice) == [second.pk]
    addresses.delete(alice, third.pk)
    assert defaults_of(alice) == [second.pk]
    addresses.delete(alice, second.pk)
    assert addresses.list_addresses(alice) == []


def test_an_update_keeps_the_fields_it_does_not_name(alice):
    address = addresses.create(alice, {**ADDRESS, "phone": "503 555 0100"})

    addresses.update(alice, address.pk, {"city": "Salem"})

    address.refresh_from_db()
    assert addresses.as_dict(address) == {**ADDRESS, "city": "Salem", "phone": "+15035550100"}
    assert address.is_default


def test_a_bad_update_changes_nothing(alice):
    address = addresses.create(alice, ADDRESS)

    with pytest.raises(AddressInvalid):
        # Valid alone, but not with the rest of the address.
        addresses.update(alice, address.pk, {"region": ""})

    address.refresh_from_db()
    assert addresses.as_dict(address) == ADDRESS


def test_an_update_may_make_it_the_default(alice):
    first, second = (addresses.create(alice, ADDRESS) for _ in range(2))

    changed = addresses.update(alice, second.pk, {}, make_default=True)

    assert changed.is_default
    assert defaults_of(alice) == [second.pk]
    assert first.pk != second.pk


@pytest.mark.parametrize(
    "act",
    [
        addresses.find,
        addresses.delete,
        addresses.set_default,
        lambda user, pk: addresses.update(user, pk, {"city": "Salem"}),
    ],
)
def test_another_customers_address_is_not_found(alice, bob, act):
    alices = addresses.create(alice, ADDRESS)
    bobs = addresses.create(bob, ADDRESS)

    with pytest.raises(AddressNotFound):
        act(bob, alices.pk)
    with pytest.raises(AddressNotFound):
        act(bob, 0)

    assert addresses.as_dict(addresses.find(alice, alices.pk)) == ADDRESS
    assert (defaults_of(alice), defaults_of(bob)) == ([alices.pk], [bobs.pk])


def test_a_book_has_a_maximum_of_addresses(alice, monkeypatch):
    monkeypatch.setattr(addresses, "ADDRESSES_MAX", 2)
    addresses.create(alice, ADDRESS)
    addresses.create(alice, ADDRESS)

    with pytest.raises(AddressBookFull) as refused:
        addresses.create(alice, ADDRESS)

    assert refused.value.limit == 2
    assert len(addresses.list_addresses(alice)) == 2


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_concurrent_tabs_leave_one_default():
    alice = make_alice()
    answers = at_once(6, lambda number: addresses.create(alice, ADDRESS, make_default=True))

    assert errors_in(answers) == []
    assert len(addresses.list_addresses(alice)) == 6
    assert len(defaults_of(alice)) == 1

    keys = [address.pk for address in addresses.list_addresses(alice)]
    answers = at_once(6, lambda number: addresses.set_default(alice, keys[number]))
    assert errors_in(answers) == []
    assert len(defaults_of(alice)) == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_two_tabs_violate_the_constraint():
    """The control: each clears the old default before the other sets the new one."""
    alice = make_alice()
    cleared = threading.Barrier(2)

    def create_without_lock(number):
        with transaction.atomic():
            address = Address.objects.create(user=alice, **ADDRESS)
            Address.objects.filter(user=alice, is_default=True).update(is_default=False)
            cleared.wait()
            Address.objects.filter(pk=address.pk).update(is_default=True)

    assert errors_in(at_once(2, create_without_lock)) == [IntegrityError]
