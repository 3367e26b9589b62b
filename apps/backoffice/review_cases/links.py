"""URLs of the list and of a decision."""

from collections.abc import Sequence
from urllib.parse import urlencode

from django.urls import reverse

Ref = tuple[str, str]  # the case type's name, the case's key


def list_url(kind: str = "", page: int = 1) -> str:
    """The list of one case type, or of all."""
    query = {name: value for name, value in (("kind", kind), ("p", page)) if value not in ("", 1)}
    return reverse("admin:review_cases") + (f"?{urlencode(query)}" if query else "")


def decide_url(name: str, refs: Sequence[Ref], **more: str) -> str:
    """The page on which the decision `name` about these cases is confirmed."""
    query = [("case", f"{kind}:{key}") for kind, key in refs]
    page = reverse("admin:review_cases_decide", args=[name])
    return f"{page}?{urlencode([*query, *more.items()])}"


def page_number(text: str) -> int:
    """The page in a URL; 1 for anything that is not a number."""
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 9 else 1
