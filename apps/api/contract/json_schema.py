"""OpenAPI 3.0 schemas out of the declarations, by pydantic, for drf-spectacular.

drf-spectacular's own extension for pydantic is not used: it takes models only, and what pydantic
writes is JSON Schema 2020, where null is a type; OpenAPI 3.0 has `nullable` instead.
"""

from dataclasses import dataclass
from typing import Any, get_args

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.plumbing import ResolvedComponent
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from apps.api.contract.fields import Body

REFERENCE = "#/components/schemas/{model}"


@dataclass(frozen=True)
class Answer:
    """A declared answer (a TypedDict, or a list of one), as `extend_schema` takes it.

    Its schema is made when the whole schema is: made at the start, those of all answers cost each
    web process a tenth of a second.
    """

    kind: Any


class AnswerExtension(OpenApiSerializerExtension):
    """Tells drf-spectacular the schema of an `Answer`; its parts become components."""

    target_class = Answer

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        parts = get_args(self.target.kind)
        return f"{parts[0].__name__}List" if parts else self.target.kind.__name__

    def map_serializer(self, auto_schema: Any, direction: Any) -> JsonSchemaValue:
        schema = schema_of(self.target.kind)
        for name, part in schema.pop("$defs", {}).items():
            # With the identity of an answer: as one it may be named elsewhere.
            component = ResolvedComponent(
                name=name, type=ResolvedComponent.SCHEMA, object=Answer, schema=part
            )
            auto_schema.registry.register_on_missing(component)
        return schema


def of_body(model: type[Body]) -> dict[str, Any]:
    """The schema of a request's body, whole."""
    schema = schema_of(model)
    return _inlined(schema, schema.pop("$defs", {}))


class OpenAPI30(GenerateJsonSchema):
    """JSON Schema with `nullable`, without defaults, in the order of the declaration."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        inner = self.generate_inner(schema["schema"])
        # OpenAPI 3.0 ignores what stands beside a $ref.
        return (
            {"allOf": [inner], "nullable": True} if "$ref" in inner else inner | {"nullable": True}
        )

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value


def schema_of(kind: Any) -> dict[str, Any]:
    """The schema of a declaration; its parts in `$defs`. Titles only repeat the names."""
    schema = TypeAdapter(kind).json_schema(
        ref_template=REFERENCE, schema_generator=OpenAPI30, mode="validation"
    )
    return _in_30(schema)


def _in_30(node: Any) -> Any:
    """`node` without titles, and with what stands beside a $ref where OpenAPI 3.0 reads it."""
    if isinstance(node, list):
        return [_in_30(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    # A property of the name "title" is a dict.
    found = {
        name: _in_30(inner)
        for name, inner in node.items()
        if not (name == "title" and isinstance(inner, str))
    }
    if "$ref" in found and len(found) > 1:
        return {"allOf": [{"$ref": found.pop("$ref")}], **found}
    return found


def _inlined(node: Any, definitions: dict[str, Any]) -> Any:
    """`node` with each $ref replaced by its definition."""
    if isinstance(node, list):
        return [_inlined(inner, definitions) for inner in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(inner, definitions) for name, inner in node.items()}
