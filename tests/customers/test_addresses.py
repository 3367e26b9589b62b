"""What an address is, and whose book it stands in."""

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from apps.customers import addresses, countries
from apps.customers.addresses import AddressBookFull, AddressInvalid, AddressNotFound
from apps.customers.models import Address
from tests.factories import ADDRESS, make_alice, make_bob

# --- One check for the whole shop -----------------------------------------------------------------


def clean(**changes):
    return addresses.clean_address({**ADDRESS, **changes})


def errors_of(**changes):
    with pytest.raises(AddressInvalid) as refused:
        clean(**changes)
    assert all(error.message for error in refused.value.errors)
    return [(error.field, error.code) for error in refused.value.errors]


def test_a_good_address_comes_back_as_it_is():
    assert clean() == ADDRESS


def test_only_the_fields_of_an_address_come_back():
    assert clean(status="paid", user=7).keys() == ADDRESS.keys()


def test_space_is_trimmed_and_joined():
    assert clean(name="  Alice \t\r\n Archer\u3000", line2=" \u00a0 ", country=" us ") == {
        **ADDRESS,
        "name": "Alice Archer",
    }


def test_a_letter_with_an_accent_is_one_letter():
    assert clean(city="Mu\u0308nchen")["city"] == "München"


def test_people_live_everywhere():
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
def test_what_is_needed_is_asked_for(field, empty):
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


def test_a_region_is_needed_where_tax_depends_on_it():
    assert errors_of(country="CA", region="", postal_code="K1A 0B1") == [("region", "required")]
    assert clean(country="DE", region="", postal_code="10115")["region"] == ""


def test_some_countries_have_no_postal_codes():
    assert clean(country="HK", region="", postal_code="")["postal_code"] == ""
    assert errors_of(country="FR", region="", postal_code="") == [("postal_code", "required")]


@pytest.mark.parametrize("country", ["XX", "USA", "United States", "ZZ", "1", "--"])
def test_a_country_is_one_of_the_world(country):
    (error,) = errors_of(country=country)

    assert error in [("country", "unknown_country"), ("country", "invalid")]


@pytest.mark.parametrize(
    ("field", "longest"),
    [("name", 120), ("line1", 200), ("line2", 200), ("city", 100), ("region", 100)],
)
def test_what_does_not_fit_is_refused(field, longest):
    assert clean(**{field: "x" * longest})[field] == "x" * longest
    assert errors_of(**{field: "x" * (longest + 1)}) == [(field, "max_length")]


@pytest.mark.parametrize(
    "text",
    ["A\x00B", "A\x07B", "A\x1bB", "A\x7fB", "A\x85B", "A\ud800B", "A\u202eB", "A\u2066B"],
)
def test_characters_that_no_label_can_print_are_refused(text):
    assert errors_of(line1=text) == [("line1", "invalid")]


@pytest.mark.parametrize("value", [7, True, ["Alice"], {"first": "Alice"}, 1.5])
def test_what_is_no_text_is_refused(value):
    assert errors_of(name=value) == [("name", "invalid")]


def test_punctuation_alone_is_no_name():
    assert errors_of(name="---") == [("name", "invalid")]


@pytest.mark.parametrize("phone", ["+1 (503) 555-0100", "503.555.0100 x12", "030/1234567", ""])
def test_telephone_numbers_are_written_in_many_ways(phone):
    assert clean(phone=phone)["phone"] == phone


@pytest.mark.parametrize("phone", ["call me", "12", "555-0100<script>", "1" * 21])
def test_other_text_is_no_telephone_number(phone):
    assert errors_of(phone=phone) == [("phone", "invalid")]


def test_markup_is_text_like_any_other():
    # It is escaped where it is shown; an address is not the place to guess at intentions.
    assert clean(line2="<b>4th & Main</b>")["line2"] == "<b>4th & Main</b>"


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_form():
    assert errors_of(phone="call me", name="", country="XX", city="x" * 101) == [
        ("name", "required"),
        ("city", "max_length"),
        ("country", "unknown_country"),
        ("phone", "invalid"),
    ]


def test_there_are_as_many_countries_as_iso_has():
    assert len(countries.choices()) == 249
    assert countries.names()["DE"] == "Germany"
    assert countries.names().keys() >= countries.WITHOUT_POSTAL_CODE


# --- The book -------------------------------------------------------------------------------------


@pytest.fixture
def alice(db):
    return make_alice()


@pytest.fixture
def bob(db):
    return make_bob()


def defaults_of(user):
    return list(Address.objects.filter(user=user, is_default=True).values_list("pk", flat=True))


def test_an_address_is_written_down_clean(alice):
    written = addresses.create(alice, {**ADDRESS, "name": " Alice  Archer ", "country": "us"})

    (kept,) = addresses.list_addresses(alice)
    assert kept == written
    assert addresses.as_dict(kept) == ADDRESS


def test_a_bad_address_is_not_written_down(alice):
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


def test_a_deleted_default_is_succeeded(alice):
    first, second, third = (addresses.create(alice, ADDRESS) for _ in range(3))

    addresses.delete(alice, first.pk)
    assert defaults_of(alice) == [second.pk]
    addresses.delete(alice, third.pk)
    assert defaults_of(alice) == [second.pk]
    addresses.delete(alice, second.pk)
    assert addresses.list_addresses(alice) == []


def test_a_change_keeps_what_it_does_not_name(alice):
    address = addresses.create(alice, {**ADDRESS, "phone": "503 555 0100"})

    addresses.update(alice, address.pk, {"city": "Salem"})

    address.refresh_from_db()
    assert addresses.as_dict(address) == {**ADDRESS, "city": "Salem", "phone": "503 555 0100"}
    assert address.is_default


def test_a_bad_change_changes_nothing(alice):
    address = addresses.create(alice, ADDRESS)

    with pytest.raises(AddressInvalid):
        # Fine by itself; not with the rest of the address.
        addresses.update(alice, address.pk, {"region": ""})

    address.refresh_from_db()
    assert addresses.as_dict(address) == ADDRESS


def test_a_change_may_make_it_the_default(alice):
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
def test_anothers_address_is_no_address(alice, bob, act):
    hers = addresses.create(alice, ADDRESS)
    his = addresses.create(bob, ADDRESS)

    with pytest.raises(AddressNotFound):
        act(bob, hers.pk)
    with pytest.raises(AddressNotFound):
        act(bob, 0)

    assert addresses.as_dict(addresses.find(alice, hers.pk)) == ADDRESS
    assert (defaults_of(alice), defaults_of(bob)) == ([hers.pk], [his.pk])


def test_a_book_has_an_end(alice, monkeypatch):
    monkeypatch.setattr(addresses, "ADDRESSES_MAX", 2)
    addresses.create(alice, ADDRESS)
    addresses.create(alice, ADDRESS)

    with pytest.raises(AddressBookFull) as refused:
        addresses.create(alice, ADDRESS)

    assert refused.value.limit == 2
    assert len(addresses.list_addresses(alice)) == 2


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_many_tabs_leave_one_default():
    alice = make_alice()
    errors = at_once(6, lambda number: addresses.create(alice, ADDRESS, make_default=True))

    assert errors == []
    assert len(addresses.list_addresses(alice)) == 6
    assert len(defaults_of(alice)) == 1

    keys = [address.pk for address in addresses.list_addresses(alice)]
    assert at_once(6, lambda number: addresses.set_default(alice, keys[number])) == []
    assert len(defaults_of(alice)) == 1


@pytest.mark.race
@pytest.mark.django_db(transaction=True)
def test_without_the_lock_two_tabs_meet_in_the_constraint():
    """The control: each clears the old default before the other sets the new one."""
    alice = make_alice()
    cleared = threading.Barrier(2)

    def create_without_lock(number):
        with transaction.atomic():
            address = Address.objects.create(user=alice, **ADDRESS)
            Address.objects.filter(user=alice, is_default=True).update(is_default=False)
            cleared.wait()
            Address.objects.filter(pk=address.pk).update(is_default=True)

    assert at_once(2, create_without_lock) == [IntegrityError]


def at_once(count, work):
    """The types of the errors that `count` threads ended with."""
    errors = []
    start = threading.Barrier(count)

    def run(number):
        start.wait()
        try:
            work(number)
        except Exception as error:
            errors.append(type(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
