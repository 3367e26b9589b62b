"""What can end up on the desk: each kind of case tells how it is found, shown and decided about.

The desk knows none of them by name. An app registers its kinds when the admin is loaded:

    kinds.register(Kind(name="mail", …, ways=(Way("retry", …), Way("resolve", …))))

and they stand on the page, in the counts and in the side bar.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import CharField, F, Model, QuerySet, Value
from django.db.models.functions import Cast

from storefront.backoffice.deeds import DeedForm, ReasonForm

# Decided in this order, whatever was ticked first: the order in which everybody locks
# (docs/locking.md). Two people with overlapping choices queue up instead of deadlocking.
LOCKING = ("saga", "webhook", "mirror", "refund", "discrepancy", "mail")


@dataclass(frozen=True, slots=True)
class Case:
    """Something that waits for a person. `tried` is what was done about it and how that ended."""

    kind: str
    key: str
    subject: str
    url: str
    why: str
    since: datetime
    tried: str = ""
    order_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """One way to close a case. `decide(key, actor=, reason=, **answers)` returns the record that
    the audit trail names, and what was done in words; it raises Refusal, and nothing is changed.
    `answers` are what else `form` asks.
    """

    name: str
    button: str
    explanation: str
    decide: Callable[..., tuple[Model, str]]
    danger: bool = False
    form: type[DeedForm] = ReasonForm


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of case. `waiting` are its open rows, `since` the field that says how long.

    There is a partial index for `waiting` on `since`; without, each page of the admin would read
    the whole table to count them.
    """

    name: str
    title: str  # "Webhooks"
    one: str  # "webhook"
    view: str
    decide: str
    waiting: Callable[[], QuerySet[Any]]
    since: str
    describe: Callable[[Sequence[str]], Sequence[Case]]
    ways: tuple[Way, ...]
    # (key, name of the way) → what stands above the form when it is about one case
    facts: Callable[[str, str], Sequence[tuple[str, Any]]] = lambda key, name: ()

    def way(self, name: str) -> Way | None:
        """The way of that name, if this kind has it."""
        return next((way for way in self.ways if way.name == name), None)


def an_id(key: str) -> UUID | None:
    """The id in a key that came by an address, or None."""
    try:
        return UUID(key)
    except ValueError:
        return None


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Put a kind on the desk."""
    if kind.name not in LOCKING:
        raise ValueError(f"{kind.name}: say where it stands in the order of locking")
    _kinds[kind.name] = kind
    return kind


def by_name(name: str) -> Kind | None:
    """The kind of that name."""
    return _kinds.get(name)


def known(name: str) -> Kind:
    """The kind of that name, which there is."""
    return _kinds[name]


def in_order_of_locking() -> list[Kind]:
    """All kinds."""
    return [_kinds[name] for name in LOCKING if name in _kinds]


def seen_by(user: Any) -> list[Kind]:
    """The kinds that this person may look at."""
    return [kind for kind in in_order_of_locking() if user.has_perm(kind.view)]


def counts(kinds: Sequence[Kind], *, most: int | None = None) -> dict[str, int]:
    """How many cases are open, by kind, counted up to `most` of each. One query."""
    if not kinds:
        return {}
    statements, values = [], []
    for kind in kinds:
        statement, given = kind.waiting().order_by().values("pk")[:most].query.sql_with_params()
        # Django's own SQL, its values apart from it.
        statements.append(f"SELECT %s, count(*) FROM ({statement}) waiting")  # noqa: S608
        values += [kind.name, *given]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), values)
        return dict(cursor.fetchall())


def oldest(kinds: Sequence[Kind], *, start: int = 0, count: int) -> list[tuple[str, str]]:
    """(kind, key) of the open cases from `start` on, who has waited longest first. One query."""
    # Each part is read along its index, and no further than could be shown.
    parts = [_in_order(kind)[: start + count] for kind in kinds]
    if not parts:
        return []
    if len(parts) == 1:
        rows = _in_order(kinds[0])[start : start + count]
    else:
        together = parts[0].union(*parts[1:], all=True)
        rows = together.order_by("case_since", "case_kind", "case_key")[start : start + count]
    return [(kind, key) for _since, kind, key in rows]


def _in_order(kind: Kind) -> QuerySet[Any, Any]:
    return (
        kind.waiting()
        .annotate(
            case_since=F(kind.since),
            case_kind=Value(kind.name, output_field=CharField()),
            case_key=Cast("pk", CharField()),
        )
        .order_by(kind.since, "pk")
        .values_list("case_since", "case_kind", "case_key")
    )


def described(refs: Sequence[tuple[str, str]]) -> list[Case]:
    """The cases of these (kind, key), in their order; those that are gone are left out."""
    found: dict[tuple[str, str], Case] = {}
    for name in {kind for kind, _ in refs}:
        keys = [key for kind, key in refs if kind == name]
        found |= {(name, case.key): case for case in _kinds[name].describe(keys)}
    return [found[ref] for ref in refs if ref in found]
