"""What answers are made of beside JSON's own types: texts of a format, and the links of a page."""

from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict

Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Url = Annotated[str, Field(json_schema_extra={"format": "uri"})]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Day = Annotated[str, Field(json_schema_extra={"format": "date"})]
EmailAddress = Annotated[str, Field(json_schema_extra={"format": "email"})]


class PageLinks(TypedDict):
    """Of a page of a list: where the pages beside it are."""

    next: Url | None
    previous: Url | None


def said(description: str) -> Any:
    """What the schema says of a field."""
    return Field(description=description)
