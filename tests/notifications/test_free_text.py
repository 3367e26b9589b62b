"""Text that a stranger typed has nothing clickable in a mail."""

import re

import pytest

from apps.notifications.free_text import LONGEST, without_links

# What mail programs make clickable: a scheme, www, an address, a bare domain, a telephone number.
CLICKABLE = re.compile(
    r"://|www\.|@|\w\.[^\W\d_]{2}|\d\.\d+\.\d+\.\d|\+\d{7}|(?:mailto|tel|sms):", re.IGNORECASE
)


@pytest.mark.parametrize(
    "typed",
    [
        *("http://evil.example/pay", "HTTPS://evil.example", "see https://evil.example/?a=b now"),
        *("www.evil.example", "WWW.evil.example/x", "evil.example", "evil.example/pay", "eViL.CoM"),
        *("(evil.example)", "<evil.example>", "Alice:evil.example", "a.b.c.d.evil.co.uk"),
        *("bob@evil.example", "mailto:bob@evil.example", "<bob@evil.example>", "bob@localhost"),
        *("ftp://evil.example", "tel:+15551234567", "sms:5551234", "call +1 555 123 45 67 now"),
        *("javascript:alert(1)", "data:text/html,x", "callto:bob", "//evil.example", "\\\\evil\\x"),
        *("evil。example", "evil．example", "evil｡example", "evil․example", "ｗｗｗ．ｅｖｉｌ．x"),
        *("ｈｔｔｐ：／／evil.example", "bob＠evil.example", "evil.рф", "köln.de"),
        *("ev\u200bil.exa\u200dmple", "evil\u2060.example", "ev.\u202eexample"),
        *("evil.\x00example", "http:\n//evil.example", "10.0.0.1", "1.2.3.4/x"),
        *("evil..example", "evil.\u200b.example", "t.me/x", "bit.ly/abc", "hxxp://evil.example"),
        *("evil.example" * 50, "http://" * 50 + "evil.example", "a@b.cc" * 40),
    ],
)  # fmt: skip
def test_nothing_clickable_is_left(typed):
    cleaned = without_links(f"Alice {typed} Archer")

    assert not CLICKABLE.search(cleaned), cleaned
    assert cleaned.startswith("Alice")
    assert without_links(cleaned) == cleaned, "cleaning twice changes nothing"


@pytest.mark.parametrize(
    "typed",
    [
        *("Alice Archer", "J.R.R. Tolkien", "Dr. Ana-María O'Brien", "李小龍", "Łukasz Żółć"),
        *("12/3 Pine Street, Apt. 5", "c/o Bob: 2nd floor", "Flat 2.3", "97201-1234", "A. & B."),
        *("The payment was declined, so we cancelled the order. You have not been charged.",),
        *("We are sorry: the items sold out before we could confirm the order.",),
    ],
)  # fmt: skip
def test_ordinary_text_is_unchanged(typed):
    assert without_links(typed) == typed.strip()


def test_a_town_with_a_dot_stays_readable():
    assert without_links("St.Gallen") == "St Gallen"


def test_line_breaks_are_removed_and_long_text_is_cut():
    cleaned = without_links("Alice\r\nBcc: x\n\n\tYou have won  \x07" + "!" * 500)

    assert cleaned.startswith("Alice Bcc: x You have won !!!")
    assert len(cleaned) == LONGEST and cleaned.endswith("…")


def test_a_megabyte_is_fast():
    for part in (".", "a.", "@", "http:", "+1", "/", "a:", "1.1", "www."):
        assert len(without_links(part * 20_000)) <= LONGEST
