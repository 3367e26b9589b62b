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


def test_words_of_which_only_one_is_there_show_that_one() -> None:
    a_kettle()
    a_mug()

    assert "Shown for “kettle”." in page("red kettle")
    assert "Nothing answers to “zeppelin”." in page("zeppelin")
    assert "Shown for" not in page("zeppelin")
