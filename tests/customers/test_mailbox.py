"""One mailbox is one customer."""

import pytest

from apps.customers.mailbox import mailbox_of

ALICE = "alice@example.com"


@pytest.mark.parametrize(
    "written",
    [
        "alice@example.com",
        "Alice@Example.COM",
        " alice@example.com ",
        "alice+sale@example.com",
        "alice+a+b@example.com",
        "ａlice@example.com",
        '"alice"@example.com',
        '"alice+x"@example.com',
        "alice@example.com.",
    ],
)
def test_spellings_of_one_mailbox_are_one_customer(written: str):
    assert mailbox_of(written) == ALICE


@pytest.mark.parametrize(
    "written",
    ["a.l.ice@gmail.com", "alice@googlemail.com", "A.Lice+x@GoogleMail.com", "alice@gmail.com"],
)
def test_dots_are_ignored_at_gmail(written: str):
    assert mailbox_of(written) == "alice@gmail.com"


def test_dots_count_elsewhere():
    assert mailbox_of("a.lice@example.com") != ALICE


def test_domain_beyond_ascii_equals_its_xn_form():
    assert mailbox_of("alice@Bücher.example") == mailbox_of("alice@xn--bcher-kva.example")


@pytest.mark.parametrize("written", ["+@example.com", "+x@example.com", "...@gmail.com", "alice"])
def test_address_without_a_name_is_kept_as_typed(written: str):
    assert mailbox_of(written) == written


def test_longest_address_fits_its_column():
    assert len(mailbox_of("İ" * 200 + "@example.com")) <= 254
