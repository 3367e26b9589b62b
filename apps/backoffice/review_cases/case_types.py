"""What can wait for a person: each case type says how its cases are found, shown and decided about.

An app registers its case types when its admin is loaded:

    review_cases.register(
        CaseType(name="mail", …, options=(DecisionOption("retry", …), DecisionOption("resolve", …)))
    )

Registered, they appear in the list, in its counts and in the side bar.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet

from apps.backoffice.actions import ReasonForm, StaffActionForm

# Cases are decided in this order, whatever was ticked first. It is the order in which all code
# takes its locks (docs/locking.md): two people with overlapping choices wait for each other instead
# of running into a deadlock.
LOCKING_ORDER = ("saga", "webhook", "mirror", "refund", "discrepancy", "mail")


@dataclass(frozen=True, slots=True)
class Case:
    """Something that waits for a person.

    `kind` is the case type's name, `key` the primary key as text. `tried` says what was done about
    it and how that ended.
    """

    kind: str
    key: str
    subject: str
    url: str
    why: str
    since: datetime
    tried: str = ""
    order_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DecisionOption:
    """One decision that staff can take about a case.

    `decide(key, actor=, reason=, **answers)` returns the record that the audit trail names and a
    sentence about what was done; or it raises Refusal, and nothing is changed. `answers` are the
    further fields of `form`. `fresh_sign_in`: the decision sends money back or ends a claim to it.
    `permissions`: what it takes beside the case type's `decide_permission`.
    """

    name: str
    button: str
    explanation: str
    decide: Callable[..., tuple[Model, str]]
    danger: bool = False
    form: type[StaffActionForm] = ReasonForm
    fresh_sign_in: bool = False
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseType:
    """One type of case. `waiting` returns its open rows, `since` is the field they are ordered by.

    There must be a partial index for `waiting` on `since`: without it, each page of the admin reads
    the whole table to count the rows. `facts(key, option name)` is shown above the form when the
    decision is about one case.
    """

    name: str
    title: str  # "Webhooks"
    singular: str  # "webhook"
    view_permission: str
    decide_permission: str
    waiting: Callable[[], QuerySet[Any]]
    since: str
    describe: Callable[[Sequence[str]], Sequence[Case]]
    options: tuple[DecisionOption, ...]
    facts: Callable[[str, str], Sequence[tuple[str, Any]]] = lambda key, name: ()

    def option(self, name: str) -> DecisionOption | None:
        """The decision of that name, if this case type has it."""
        return next((option for option in self.options if option.name == name), None)

    def may_take(self, user: Any, option: DecisionOption) -> bool:
        """Whether this person may take that decision."""
        return user.has_perms((self.decide_permission, *option.permissions))


def parse_uuid(text: str) -> UUID | None:
    """The UUID in a text that came from a URL, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


_registered: dict[str, CaseType] = {}


def register(case_type: CaseType) -> CaseType:
    """Add a case type. Raises ValueError when LOCKING_ORDER does not name it."""
    if case_type.name not in LOCKING_ORDER:
        raise ValueError(f"add {case_type.name} to LOCKING_ORDER")
    _registered[case_type.name] = case_type
    return case_type


def find(name: str) -> CaseType | None:
    """The case type of that name, or None."""
    return _registered.get(name)


def get(name: str) -> CaseType:
    """The case type of that name. Raises KeyError when there is none."""
    return _registered[name]


def in_locking_order() -> list[CaseType]:
    """All case types."""
    return [_registered[name] for name in LOCKING_ORDER if name in _registered]


def visible_to(user: Any) -> list[CaseType]:
    """The case types that this person may see."""
    return [each for each in in_locking_order() if user.has_perm(each.view_permission)]
