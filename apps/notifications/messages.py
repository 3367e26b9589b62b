"""The words of each mail, as plain text.

`compose` is given plain data (strings, numbers as people read them), never an order: this room does
not know what an order is. A template that names what it was not given would send a mail with a
hole, so each kind lists what it needs and `compose` refuses without.

Templates: `templates/notifications/<kind>.txt`; the first line is the subject.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.template import Context, Engine, Template

from apps.notifications.errors import MissingData, UnknownKind

SUBJECT_MAX = 200
_FOLDER = Path(__file__).parent / "templates" / "notifications"
_FOR_ALL = frozenset({"number", "name", "url"})
# `lines` are mappings with name, quantity and (where listed) amount. Amounts are for people:
# "$19.99"; one that does not apply is "". `address` is a list of lines.
NEEDS: dict[str, frozenset[str]] = {
    "order_confirmed": _FOR_ALL
    | {"lines", "subtotal", "discount", "shipping", "tax", "total", "address", "estimate"},
    "payment_failed": _FOR_ALL | {"reason", "total"},
    "order_cancelled": _FOR_ALL | {"reason", "refund"},
    "order_shipped": _FOR_ALL | {"tracking_number", "carrier", "estimate", "address"},
    "return_received": _FOR_ALL | {"lines", "refund"},
}
# Bidirectional overrides can make a product's name read backwards in a mail.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of an order. At most one per `(order_id, kind, about)` ever leaves."""

    order_id: UUID
    kind: str
    to: str
    subject: str
    body: str
    about: str = ""


def compose(
    kind: str, data: Mapping[str, Any], *, order_id: UUID, to: str, about: str = ""
) -> Message:
    """The mail of this kind.

    `data` has at least `number`, `name` (of the shopper, may be ""), `url` (of the order's page)
    and what `NEEDS[kind]` names. `about` tells several mails of a kind apart (which return).
    Raises `UnknownKind`, `MissingData`.
    """
    if kind not in NEEDS:
        raise UnknownKind(kind)
    missing = sorted(NEEDS[kind] - data.keys())
    if missing:
        raise MissingData(kind, missing)
    context = {"shop_name": settings.SHOP_NAME, **data}
    of_subject, of_body = _templates(kind)
    body = _UNPRINTABLE.sub("", of_body.render(Context(context, autoescape=False)))
    # Absent parts leave gaps; no mail has more than one empty line in a row.
    body = re.sub(r"\n{3,}", "\n\n", body).strip("\n") + "\n"
    # A line break in a subject would let a name add headers of its own.
    subject = _UNPRINTABLE.sub(" ", of_subject.render(Context(context, autoescape=False)))
    subject = " ".join(subject.split())[:SUBJECT_MAX]
    return Message(order_id=order_id, kind=kind, to=to, subject=subject, body=body, about=about)


@functools.cache
def _templates(kind: str) -> tuple[Template, Template]:
    """Of the subject and of the body. Nothing is escaped, for nothing is HTML."""
    text = (_FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    subject, body = text.split("\n", 1)
    engine = Engine(autoescape=False)
    return engine.from_string(subject), engine.from_string(body)
