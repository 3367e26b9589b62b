"""Every way to type a code finds the same promo."""

import string

import pytest
from django.db import IntegrityError, transaction
from hypothesis import example, given
from hypothesis import strategies as some

from apps.promos.codes import LOOK_ALIKES, normalise
from apps.promos.models import Promo
from tests.factories import PromoFactory


@pytest.mark.parametrize(
    "typed",
    [
        "SLOWMORNING",
        "slowmorning",
        "SlowMorning",
        "  slowmorning\t\r\n",
        "SLOW MORNING",
        "slow-morning",
        "slow_morning",
        "slow\u00a0morning",  # no-break space
        "slow\u200bmorning",  # zero-width space
        "\ufeffslowmorning",  # byte order mark
        "slow\u2060morning\u200d\u200e",  # word joiner, joiner, left-to-right mark
        "slow\u00admorning",  # soft hyphen
        "slow–morning",  # en dash
        "ＳＬＯＷＭＯＲＮＩＮＧ",  # full-width
        "ｓｌｏｗｍｏｒｎｉｎｇ",
        "𝐒𝐋𝐎𝐖𝐌𝐎𝐑𝐍𝐈𝐍𝐆",  # mathematical bold
        "Ⓢⓛⓞⓦmorning",  # circled
        "SLОWМОRNING",  # Cyrillic О, М
        "ЅLOWMORNING",  # Cyrillic Dze
        "slоwmоrning",  # Cyrillic о, small
        "SLΟWΜΟRΝΙΝG",  # Greek Ο, Μ, Ν, Ι
        "SLOWMORNİNG",  # a Turkish keyboard's capital i
        "slowmornıng",  # and its small one
        "slow\x00morning",
        "“slowmorning”",
    ],
)
def test_is_the_same_code(typed):
    assert normalise(typed) == "SLOWMORNING"


@pytest.mark.parametrize(
    "typed", ["", " ", "\u200b\u200d\ufeff", "--", "\x00", "🎁", "\ud800", "\u0301"]
)
def test_nothing_readable_is_no_code(typed):
    assert normalise(typed) == ""


@pytest.mark.parametrize("typed", ["SLOWMORNING1", "SLOWMORNIN", "LOWMORNING", "SLOWMORNINGG"])
def test_another_code_stays_another(typed):
    assert normalise(typed) != normalise("SLOWMORNING")


def test_digits_are_not_letters():
    """O and 0 differ in print; treating them as equal would accept codes never given out."""
    assert normalise("G0LD") != normalise("GOLD")


def test_endless_code_is_cut():
    assert normalise("a" * 10_000) == "A" * 60


CODE = some.text(alphabet=string.ascii_uppercase + string.digits, min_size=1, max_size=60)
NOISE = some.sampled_from(
    ["", " ", "-", "_", "\t", "\u200b", "\u200d", "\ufeff", "\u00a0", "\u00ad"]
)
WIDE = {chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)}
ALIKE: dict[str, list[str]] = {}
for _other, _latin in LOOK_ALIKES.items():
    ALIKE.setdefault(chr(_latin), []).append(chr(_other))


@given(code=CODE, data=some.data())
def test_every_way_to_type_a_code_is_the_code(code, data):
    typed = ""
    for letter in code:
        way = data.draw(
            some.sampled_from([letter, letter.lower(), WIDE[letter], *ALIKE.get(letter, [])])
        )
        typed += data.draw(NOISE) + way
    typed += data.draw(NOISE)

    assert normalise(typed) == code


@given(some.text(max_size=80))
@example("ΐ")
@example("ŉﬀß")
@example("ﷺ" * 10)
@example("İ")
def test_a_normal_code_is_its_own_normal_code(typed):
    """A promo is found by the normal code under which `Promo.save` stored it."""
    assert normalise(normalise(typed)) == normalise(typed)
    assert len(normalise(typed)) <= 60


@pytest.mark.django_db
class TestSaving:
    def test_code_is_shown_as_written_and_found_however_typed(self):
        PromoFactory(code=" Slow-Morning ")

        promo = Promo.objects.get(normal_code=normalise("ＳＬＯＷ morning"))

        assert promo.code == "Slow-Morning"

    def test_same_code_in_other_letters_is_taken(self):
        PromoFactory(code="MORNING")

        with pytest.raises(IntegrityError), transaction.atomic():
            PromoFactory(code="МОRΝING")  # Cyrillic and Greek among them

        assert Promo.objects.count() == 1
