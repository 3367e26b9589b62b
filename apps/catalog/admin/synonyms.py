"""Words that mean the same to a search, in the back office."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from unfold.admin import ModelAdmin

from apps.backoffice.old_and_new import OldAndNew
from apps.catalog.models import Synonym
from apps.catalog.search.synonyms import split


class SynonymForm(forms.ModelForm):
    """Two lists of words, commas between."""

    class Meta:
        model = Synonym
        fields = ("words", "also_finds")

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        words = split(cleaned.get("words") or "")
        others = split(cleaned.get("also_finds") or "")
        if cleaned.get("also_finds") and not others:
            raise ValidationError({"also_finds": "Letters or digits, at most four words each."})
        if cleaned.get("words") and not words:
            raise ValidationError({"words": "Letters or digits, at most four words each."})
        if len(words) == 1 and not others:
            raise ValidationError(
                {"words": "One word alone finds itself already: add others, here or below."}
            )
        return cleaned


@admin.register(Synonym)
class SynonymAdmin(OldAndNew, ModelAdmin):
    """What shoppers type and the shop calls otherwise. Works at once; no product is changed."""

    form = SynonymForm
    list_display = ("words", "also_finds")
    search_fields = ("words", "also_finds")
