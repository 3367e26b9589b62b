"""The answer to whatever is refused."""

from typing import Annotated, NotRequired

from typing_extensions import TypedDict

from apps.api.contract.formats import said


class FieldProblem(TypedDict):
    field: Annotated[str, said("what is at fault; for out_of_stock the SKU")]
    code: str
    message: str
    available: NotRequired[Annotated[int, said("units left, where stock is at fault")]]


class Problem(TypedDict):
    """RFC 9457. `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: NotRequired[list[FieldProblem]]
