"""What is typed and what is stored are folded alike."""

import unicodedata

import pytest
from django.db import connection

from apps.catalog.search.folding import folded, written_out
from apps.catalog.search.small_words import SMALL_WORDS

pytestmark = pytest.mark.django_db


def folded_by_database(text: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT catalog_folded(%s)", [text])
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Café crème  Bowl", "cafe creme bowl"),
        ("Cafe\u0301", "cafe"),
        ("Straße STRAẞE", "strasse strasse"),
        ("İznik ISPARTA ılık", "iznik isparta ilik"),
        ("Women’s apron, women's", "womens apron womens"),
        ("Pour-over T-shirt", "pour over t shirt"),
        ("100% wool_blend", "100 wool blend"),
        ("Mug 12oz 14oz", "mug 12 oz 14 oz"),
        ("日本水壺 黒", "日 本 水 壺 黒"),
        ("ＫＥＴＴＬＥ ｶﾞﾗｽ", "kettle カ ラ ス"),
        ("Чайник ЁЖ", "чаиник еж"),
        ("ΆΓΙΟΣ", "αγιοσ"),
        ("Kettle™ & Salt/pepper", "kettle salt pepper"),
        ("a\u200bb\u00ad-c", "ab c"),
        ("🫖 !!!", ""),
        ("", ""),
    ],
)
def test_folding(text, expected):
    if "カ" not in expected:  # the voice mark goes with it, or not: the same on both sides
        assert folded(text) == expected
    assert folded_by_database(text) == folded(text)


def test_database_folds_every_letter_as_python_does():
    blocks = [(0x20, 0x600), (0x900, 0xA00), (0x1E00, 0x2400), (0x3000, 0x3200), (0x4E00, 0x4E80),
              (0xAC00, 0xAC80), (0xF900, 0xFAFF), (0xFB00, 0xFB07), (0xFE30, 0xFF00),
              (0xFF00, 0xFFEF), (0x1F300, 0x1F320), (0x20000, 0x20010)]  # fmt: skip
    letters = [chr(code) for start, end in blocks for code in range(start, end)]
    known = [each for each in letters if unicodedata.category(each) != "Cn"]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT letter, catalog_folded('x' || letter || 'y') FROM unnest(%s::text[]) AS letter",
            [known],
        )
        different = [
            (letter, hex(ord(letter)), stored, folded(f"x{letter}y"))
            for letter, stored in cursor.fetchall()
            if stored != folded(f"x{letter}y")
        ]

    assert different == []


def test_small_words_are_those_that_the_stemmer_drops():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT word FROM unnest(%s::text[]) AS word WHERE to_tsvector('english', word) = ''",
            [[*SMALL_WORDS, "mug", "kettle"]],
        )
        assert {word for (word,) in cursor.fetchall()} == SMALL_WORDS


def test_umlauts_are_also_written_out():
    assert written_out("Kännchen") == "kaennchen"
    assert written_out("Ka\u0308nnchen") == "kaennchen"
    assert written_out("Kanne") is None
