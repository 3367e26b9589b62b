"""Cases with what the list shows beside them: the order's number and the last decision."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.backoffice import decision_log
from apps.backoffice.models import Decision
from apps.backoffice.order_links import numbers_of, order_url
from apps.backoffice.review_cases import case_types, queries
from apps.backoffice.review_cases.case_types import Case, CaseType
from apps.backoffice.review_cases.links import Ref


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the list. `number` is the order's, if the case belongs to one."""

    case: Case
    case_type: CaseType
    number: str | None
    order_url: str
    decision: Decision | None

    @property
    def ref(self) -> str:
        """The case as the form sends it."""
        return f"{self.case.kind}:{self.case.key}"


def rows_of(refs: Sequence[Ref]) -> list[Row]:
    """The rows of these cases. The number of queries does not depend on how many there are."""
    cases = queries.described(refs)
    decisions = decision_log.latest((case.kind, case.key) for case in cases)
    numbers = numbers_of({case.order_id for case in cases if case.order_id is not None})
    return [
        Row(
            case=case,
            case_type=case_types.get(case.kind),
            number=numbers.get(case.order_id),
            order_url=order_url(case.order_id) if case.order_id is not None else "",
            decision=decisions.get((case.kind, case.key)),
        )
        for case in cases
    ]
