"""The text of each mail, from templates, as plain text.

`compose` gets plain data (strings, formatted amounts), never an order: this app does not import
orders. A template with missing data would send an incomplete mail, so each kind lists what it needs
and `compose` refuses without it.

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
from apps.notifications.free_text import LONGEST, without_links

SUBJECT_MAX = 200
_FOLDER = Path(__file__).parent / "templates" / "notifications"
_FOR_ALL = frozenset({"number", "name", "url"})
# `lines` are mappings with name, quantity and (where listed) amount, discount and tax. Amounts are
# formatted, as "$19.99"; one that does not apply is "". `address` is a list of lines. `unshipped`
# and `shipping_tax` may be absent; `unshipped` is not empty where nothing of the order is shipped.
NEEDS: dict[str, frozenset[str]] = {
    "order_confirmed": _FOR_ALL
    | {"lines", "subtotal", "discount", "shipping", "tax", "total", "address", "estimate"},
    # With a true `unpaid` the payment failed: the order was not called off, its mail says so.
    "order_cancelled": _FOR_ALL | {"reason", "refund"},
    "payment_declined": _FOR_ALL | {"total", "until"},
    "order_shipped": _FOR_ALL | {"tracking_number", "carrier", "estimate", "address"},
    "return_announced": _FOR_ALL | {"return_number", "lines", "send_to", "what_to_do"},
    "return_received": _FOR_ALL | {"lines", "refund", "not_accepted", "reason"},
    "return_refused": _FOR_ALL | {"return_number", "lines", "reason"},
    "refund_sent": _FOR_ALL | {"refund", "what_for"},
}
# Data from the shop itself. Everything else, also names added later, is treated as typed by a
# stranger.
OURS = frozenset(
    {"number", "url", "lines", "estimate", "carrier", "tracking_number"}
    | {"subtotal", "discount", "shipping", "shipping_tax", "tax", "total", "refund"}
    | {"unshipped", "unpaid", "until"}
    | {"not_accepted", "return_number", "send_to", "what_to_do", "what_for"}
)
REASON_MAX = 300  # characters; a name or a line of an address has fewer (free_text.LONGEST)
# Bidirectional overrides could make a name appear reversed in a mail.
_UNPRINTABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Message:
    """One mail of an order. At most one per `(order_id, kind, about)` is ever sent."""

    order_id: UUID
    kind: str
    to: str
    subject: str
    body: str
    about: str = ""
    withheld: str = ""  # why it is stored and not sent


def compose(
    kind: str,
    data: Mapping[str, Any],
    *,
    order_id: UUID,
    to: str,
    about: str = "",
    withheld: str = "",
) -> Message:
    """The mail of this kind, with its text.

    `data` has at least `number`, `name` (of the shopper, may be ""), `url` (of the order's page)
    and what `NEEDS[kind]` names. `about` distinguishes several mails of a kind (which
    return); `withheld` is the reason why it may not be sent (the row is for staff). Values whose
    name is not in `OURS` were typed by a stranger: links are removed, and they are cut
    (free_text.py). Raises `UnknownKind`, `MissingData`.
    """
    if kind not in NEEDS:
        raise UnknownKind(kind)
    missing = sorted(NEEDS[kind] - data.keys())
    if missing:
        raise MissingData(kind, missing)
    typed = {name: _typed(name, value) for name, value in data.items() if name not in OURS}
    context = {"shop_name": settings.SHOP_NAME, **data, **typed}
    of_subject, of_body = _templates(kind)
    body = _UNPRINTABLE.sub("", of_body.render(Context(context, autoescape=False)))
    # Empty parts of the template leave gaps; at most one empty line in a row stays.
    body = re.sub(r"\n{3,}", "\n\n", body).strip("\n") + "\n"
    # A line break in a subject would let a name add headers of its own.
    subject = _UNPRINTABLE.sub(" ", of_subject.render(Context(context, autoescape=False)))
    subject = " ".join(subject.split())[:SUBJECT_MAX]
    return Message(
        order_id=order_id,
        kind=kind,
        to=to,
        subject=subject,
        body=body,
        about=about,
        withheld=withheld,
    )


def _typed(name: str, value: Any) -> Any:
    """Free text, or a list of lines, made safe for a mail."""
    longest = REASON_MAX if name == "reason" else LONGEST
    if isinstance(value, str):
        return without_links(value, longest=longest)
    return [without_links(str(line), longest=longest) for line in value]


@functools.cache
def _templates(kind: str) -> tuple[Template, Template]:
    """The templates of subject and body. Without escaping, because the mail is no HTML."""
    text = (_FOLDER / f"{kind}.txt").read_text(encoding="utf-8")
    subject, body = text.split("\n", 1)
    engine = Engine(autoescape=False)
    return engine.from_string(subject), engine.from_string(body)
