"""The tables of SPEC.md, generated: `python -m tailrace_protocol.spec` rewrites what stands between its markers.

Knows message structs, the glossary and Markdown; knows no message by name.
"""

import argparse
import re
import sys
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import inspect as types

from tailrace_protocol import commands, events, glossary, kernel_messages, limits, objects
from tailrace_protocol.errors import ErrorCode

Struct = type[msgspec.Struct]
SPEC = Path(__file__).parents[1] / "SPEC.md"  # in a source tree; the installed package has no SPEC.md
BLOCK = re.compile(r"(?P<head><!-- generated: (?P<name>[a-z-]+) -->\n).*?(?P<tail><!-- end: (?P=name) -->)", re.DOTALL)


def render(text: str) -> str:
    """SPEC.md with every generated block brought up to date. Raises KeyError for a block nobody generates."""
    return BLOCK.sub(lambda block: f"{block['head']}\n{TABLES[block['name']]()}\n\n{block['tail']}", text)


def commands_table() -> str:
    return _table(("type", "fields", "meaning"), _rows(commands.COMMANDS, glossary.COMMANDS, hidden={"id"}))


def events_table() -> str:
    envelope = set(events.Event.__struct_encode_fields__)
    named = {events.type_name(struct): struct for struct in events.EVENTS}
    rows = _rows(named, glossary.EVENTS, hidden=envelope)
    return _table(
        ("topic", "type", "fields", "meaning"),
        ((events.TOPICS[row[0].strip("`")], *row) for row in rows),
    )


def controls_table() -> str:
    named = {events.type_name(struct): struct for struct in events.CONTROLS}
    return _table(("type", "fields", "meaning"), _rows(named, glossary.CONTROLS))


def requests_table() -> str:
    def reply(kind: str) -> str:
        name = "".join(word.title() for word in kind.removesuffix("_request").split("_")) + "Reply"
        struct = getattr(kernel_messages, name, None)
        return fields_of(struct) if struct else "–"

    rows = _rows(kernel_messages.REQUESTS, glossary.REQUESTS)
    return _table(
        ("request", "content", "reply", "meaning"),
        ((kind, fields, reply(kind.strip("`")), meaning) for kind, fields, meaning in rows),
    )


def iopub_table() -> str:
    return _table(("type", "content", "meaning"), _rows(kernel_messages.IOPUB, glossary.IOPUB))


def gateway_objects_table() -> str:
    return _objects(_nested((*commands.COMMANDS.values(), *events.EVENTS, *events.CONTROLS)))


def kernel_objects_table() -> str:
    replies = (value for name, value in vars(kernel_messages).items() if name.endswith("Reply"))
    messages = {*kernel_messages.REQUESTS.values(), *kernel_messages.IOPUB.values(), *replies}
    return _objects(struct for struct in _nested(messages) if struct not in messages)


def errors_table() -> str:
    return _table(("code", "meaning"), ((f"`{code.value}`", glossary.ERRORS[code]) for code in ErrorCode))


def limits_table() -> str:
    def spelled(value: float) -> str:
        mebibytes, rest = divmod(value, 2**20)
        return f"{mebibytes:g} MiB" if mebibytes and not rest and value < 2**40 else f"{value:,}"

    source = Path(limits.__file__).read_text(encoding="utf-8")
    said = re.findall(r"^(?P<name>[A-Z_]+) = .*#\s*(?P<meaning>.+)$", source, re.MULTILINE)
    return _table(
        ("limit", "value", "of"), ((f"`{name}`", spelled(getattr(limits, name)), text) for name, text in said)
    )


def _objects(structs: Iterable[Struct]) -> str:
    named = {struct.__name__: struct for struct in structs}
    return _table(("object", "fields", "meaning"), _rows(dict(sorted(named.items())), glossary.OBJECTS))


def _rows(
    structs: Mapping[str, Struct], meanings: Mapping[str, str], hidden: Iterable[str] = ()
) -> Iterator[tuple[str, str, str]]:
    for kind, struct in structs.items():
        assert kind in meanings, f"glossary.py has no sentence for {kind}: write one"
        yield f"`{kind}`", fields_of(struct, frozenset(hidden)), meanings[kind]


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("\n", " ") for cell in line) + " |" for line in lines)


def fields_of(struct: Struct, hidden: frozenset[str] = frozenset()) -> str:
    """The fields of a struct in one line of Markdown; an optional one has a question mark."""
    described = types.type_info(struct)
    assert isinstance(described, types.StructType)
    always = not struct.__struct_config__.omit_defaults
    shown = [
        f"`{field.encode_name}{'' if field.required or always else '?'}: {spell(_given(field))}`"
        for field in described.fields
        if field.encode_name not in hidden
    ]
    if described.tag_field == "kind":
        shown.insert(0, f'`kind: "{described.tag}"`')
    return ", ".join(shown) or "–"


def _given(field: types.Field) -> types.Type:
    """The type of a field when it is there: one whose default is null is left out instead of sent as null."""
    if field.default is not None or not isinstance(field.type, types.UnionType):
        return field.type
    parts = tuple(part for part in field.type.types if not isinstance(part, types.NoneType))
    return parts[0] if len(parts) == 1 else types.UnionType(parts)


def spell(kind: types.Type) -> str:
    """A type in the notation of SPEC.md: as in TypeScript, with `integer` for whole numbers."""
    match kind:
        case types.StructType(cls=struct):
            return struct.__name__
        case types.LiteralType(values=values):
            return WORDS.get(frozenset(values)) or " \\| ".join(f'"{value}"' for value in values)
        case types.UnionType(types=parts):
            return " \\| ".join(spell(part) for part in parts)
        case types.VarTupleType(item_type=item) | types.ListType(item_type=item):
            inner = spell(item)
            return f"({inner})[]" if "|" in inner else f"{inner}[]"
        case types.DictType(value_type=value):
            return f"{{string: {spell(value)}}}"
        case _:
            return SCALARS[type(kind)]


LITERALS: dict[str, typing.Any] = {
    "CellType": objects.CellType,
    "CellMode": objects.CellMode,
    "Execution": objects.Execution,
    "RunMode": objects.RunMode,
    "Stream": objects.Stream,
    "FrameLibrary": objects.FrameLibrary,
    "Status": objects.Status,
    "KernelState": objects.KernelState,
    "Topic": commands.Topic,
}
WORDS = {frozenset(typing.get_args(literal)): name for name, literal in LITERALS.items()}


def literals_table() -> str:
    rows = ((f"`{name}`", ", ".join(f"`{word}`" for word in typing.get_args(it))) for name, it in LITERALS.items())
    return _table(("name", "one of"), rows)


SCALARS: dict[type[types.Type], str] = {
    types.StrType: "string",
    types.BytesType: "bytes",
    types.BoolType: "boolean",
    types.IntType: "integer",
    types.FloatType: "number",
    types.NoneType: "null",
    types.AnyType: "any",
}


def _nested(structs: Iterable[Struct]) -> set[Struct]:
    """Every struct that these refer to, at any depth; not themselves unless another refers to them."""
    found: set[Struct] = set()
    todo = [field.type for struct in structs for field in types.type_info(struct).fields]  # type: ignore[attr-defined]
    while todo:
        match todo.pop():
            case types.StructType(cls=struct, fields=fields) if struct not in found:
                found.add(struct)
                todo.extend(field.type for field in fields)
            case types.UnionType(types=parts):
                todo.extend(parts)
            case types.VarTupleType(item_type=item) | types.ListType(item_type=item):
                todo.append(item)
            case types.DictType(value_type=value):
                todo.append(value)
            case _:
                pass
    return found


TABLES: dict[str, Callable[[], str]] = {
    "literals": literals_table,
    "requests": requests_table,
    "iopub": iopub_table,
    "kernel-objects": kernel_objects_table,
    "commands": commands_table,
    "events": events_table,
    "controls": controls_table,
    "gateway-objects": gateway_objects_table,
    "errors": errors_table,
    "limits": limits_table,
}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tailrace_protocol.spec", description="Write SPEC.md's tables.")
    parser.add_argument("file", nargs="?", type=Path, default=SPEC)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a table is out of date")
    chosen = parser.parse_args(arguments)
    text = chosen.file.read_text(encoding="utf-8")
    fresh = render(text)
    if chosen.check:
        return 0 if fresh == text else 1
    if fresh != text:
        chosen.file.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
