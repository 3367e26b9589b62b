"""The list of everything that waits for a person, and the page on which staff decide about it.

case_types.py    what each app registers: how its cases are found, shown and decided about
queries.py       how many cases wait, and which ones, across all case types
rows.py          cases with what the list shows beside them
links.py         URLs of the list and of a decision
list_view.py     the list
decide_view.py   one decision, about one case or many
past_decisions.pyearlier decisions, for the page of the record itself

The list knows no case type by name: the apps register theirs when their admin is loaded.
"""

from apps.backoffice.review_cases.case_types import (
    Case,
    CaseType,
    DecisionOption,
    parse_uuid,
    register,
)
from apps.backoffice.review_cases.decide_view import MAX_CASES, decide
from apps.backoffice.review_cases.links import decide_url, list_url
from apps.backoffice.review_cases.past_decisions import history

__all__ = [
    "MAX_CASES",
    "Case",
    "CaseType",
    "DecisionOption",
    "decide",
    "decide_url",
    "history",
    "list_url",
    "parse_uuid",
    "register",
]
