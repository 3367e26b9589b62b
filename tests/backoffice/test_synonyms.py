"""Staff says which words mean the same."""

import pytest
from django.urls import reverse

from apps.catalog.models import Synonym

pytestmark = pytest.mark.django_db
ADD = "admin:catalog_synonym_add"


def test_synonyms_are_added_and_changed(staff):
    answer = staff.post(reverse(ADD), {"words": "cup, mug", "also_finds": ""})
    assert answer.status_code == 302
    made = Synonym.objects.get()

    change = reverse("admin:catalog_synonym_change", args=[made.pk])
    assert staff.get(change).status_code == 200
    staff.post(change, {"words": "cup, mug", "also_finds": "beaker"})
    made.refresh_from_db()
    assert str(made) == "cup, mug → beaker"
    assert "cup, mug" in staff.get(reverse("admin:catalog_synonym_changelist")).content.decode()


@pytest.mark.parametrize(
    ("words", "also_finds", "said"),
    [
        ("cup", "", "One word alone finds itself already"),
        ("!!!", "cup", "Letters or digits"),
        ("cup", "!!!", "Letters or digits"),
        ("a b c d e", "cup", "Letters or digits"),
    ],
)
def test_synonym_that_would_do_nothing_is_refused(staff, words, also_finds, said):
    answer = staff.post(reverse(ADD), {"words": words, "also_finds": also_finds})

    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Synonym.objects.exists()
