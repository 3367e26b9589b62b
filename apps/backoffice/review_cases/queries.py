"""How many cases wait, and which ones: one query each, across all case types."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast

from apps.backoffice.review_cases import case_types
from apps.backoffice.review_cases.case_types import Case, CaseType


def counts(types: Sequence[CaseType], *, most: int | None = None) -> dict[str, int]:
    """How many cases are open, by the name of the case type, counted up to `most` of each."""
    if not types:
        return {}
    statements, values = [], []
    for each in types:
        statement, given = each.waiting().order_by().values("pk")[:most].query.sql_with_params()
        # The SQL is Django's own, its values are passed separately.
        statements.append(f"SELECT %s, count(*) FROM ({statement}) waiting")  # noqa: S608
        values += [each.name, *given]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(statements), values)
        return dict(cursor.fetchall())


def oldest(types: Sequence[CaseType], *, start: int = 0, count: int) -> list[tuple[str, str]]:
    """`count` open cases from `start` on as (kind, key), the one that has waited longest first."""
    # Each part is read along its index, and only as far as this page can need.
    parts = [_oldest_first(each)[: start + count] for each in types]
    if not parts:
        return []
    if len(parts) == 1:
        rows = _oldest_first(types[0])[start : start + count]
    else:
        together = parts[0].union(*parts[1:], all=True)
        rows = together.order_by("case_since", "case_kind", "case_key")[start : start + count]
    return [(kind, key) for _since, kind, key in rows]


def _oldest_first(case_type: CaseType) -> QuerySet[Any, Any]:
    return (
        case_type.waiting()
        .annotate(
            case_since=F(case_type.since),
            case_kind=Value(case_type.name, output_field=CharField()),
            case_key=Cast("pk", CharField()),
        )
        .order_by(case_type.since, "pk")
        .values_list("case_since", "case_kind", "case_key")
    )


def described(refs: Sequence[tuple[str, str]]) -> list[Case]:
    """The cases of these (kind, key), in the given order; cases that are gone are left out."""
    found: dict[tuple[str, str], Case] = {}
    for name in {kind for kind, _ in refs}:
        keys = [key for kind, key in refs if kind == name]
        found |= {(name, case.key): case for case in case_types.get(name).describe(keys)}
    return [found[ref] for ref in refs if ref in found]
