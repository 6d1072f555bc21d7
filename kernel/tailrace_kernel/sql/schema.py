"""One node of the schema browser; the engines make them, one level at a time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SchemaNode:
    """`kind`: schema, table, view or column; `type` is the database's word for a column's type."""

    name: str
    kind: str
    type: str | None = None
    has_children: bool = False
