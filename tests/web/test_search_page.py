"""The page of a search says for what it is shown."""

import pytest
from django.test import Client

from tests.factories import a_kettle, a_mug

pytestmark = pytest.mark.django_db


def page(text: str, **parameters: str) -> str:
    return Client().get("/search/", {"q": text, **parameters}).content.decode()


def test_corrected_word_is_told() -> None:
    a_kettle()
    a_mug()

    for _ in range(2):  # counted, and counted a moment ago
        shown = page("<b>ketle</b>")
        assert "Shown for “kettle”." in shown
        assert "1 thing" in shown
        assert "<b>ketle" not in shown
    assert "Shown for" not in page("kettle")


def test_invisible_characters_are_not_looked_for() -> None:
    a_kettle(price=8900)
    a_mug(price=1800)

    shown = page("ke\u200bttle\ufeff", min_price="\u202a20\u202c")

    assert "“kettle”" in shown
    assert "Gooseneck Kettle" in shown
    assert "Stoneware Mug" not in shown
    assert "Shown for" not in shown
    assert "Write prices as plain numbers" not in shown


def test_words_of_which_only_one_is_there_show_that_one() -> None:
    a_kettle()
    a_mug()

    assert "Shown for “kettle”." in page("red kettle")
    assert "Nothing answers to “zeppelin”." in page("zeppelin")
    assert "Shown for" not in page("zeppelin")
