"""The text of dj-stripe's objects, also of those that are newer than dj-stripe.

dj-stripe looks the status of a charge, a dispute or a balance transaction up in a list of its own,
and raises KeyError for one that Stripe has added since. Django asks an object for its text in the
title of its page: that page would answer 500.
"""

from collections.abc import Callable
from typing import Any

from django.db.models import Model


def make_text_safe(model: type[Model]) -> None:
    """The model's own text where it has one for the object, else the object's id."""
    model.__str__ = _safe(model.__str__)  # type: ignore[method-assign]


def _safe(theirs: Callable[[Any], str]) -> Callable[[Any], str]:
    def text(kept: Any) -> str:
        try:
            return theirs(kept)
        except Exception:  # of a status that is not on their list, or an amount that is not there
            return str(getattr(kept, "id", kept.pk))

    return text
