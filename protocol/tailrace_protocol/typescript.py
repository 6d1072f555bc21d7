"""The page's types, generated: `python -m tailrace_protocol.typescript` prints gateway/web/src/protocol.ts.

Knows msgspec's type description and TypeScript's spelling; must not know any message by name, but for the unions.
"""

import types
import typing
from collections.abc import Iterable
from typing import Any

import msgspec

from tailrace_protocol import commands, events, objects

HEADER = """\
// Generated from tailrace_protocol by `make types`; do not edit.
// A field with `?` is absent when it has nothing to say.
"""


def typescript() -> str:
    """The whole file: one interface per struct, one alias per literal, one union per direction of the wire."""
    writer = _Writer()
    writer.alias("CellType", objects.CellType)
    writer.alias("CellMode", objects.CellMode)
    writer.alias("Status", objects.Status)
    writer.alias("KernelState", objects.KernelState)
    writer.alias("RunMode", objects.RunMode)
    writer.alias("Topic", commands.Topic)
    for struct in (*commands.COMMANDS.values(), *events.EVENTS, *events.CONTROLS):
        writer.struct(struct)
    writer.union("Output", typing.get_args(objects.Output))
    writer.union("Command", commands.COMMANDS.values())
    writer.union("Event", events.EVENTS)
    writer.union("Control", events.CONTROLS)
    return HEADER + "\n" + "\n".join(writer.parts)


class _Writer:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self._names: dict[type, str] = {}
        self._aliases: dict[Any, str] = {}

    def alias(self, name: str, literal: Any) -> None:
        self.parts.append(f"export type {name} = {self._spell(literal)};\n")
        self._aliases[literal] = name

    def union(self, name: str, structs: Iterable[type]) -> None:
        arms = " | ".join(self._spell(struct) for struct in structs)
        self.parts.append(f"export type {name} = {arms};\n")

    def struct(self, struct: type[msgspec.Struct]) -> str:
        if struct in self._names:
            return self._names[struct]
        name = self._name(struct)
        self._names[struct] = name
        hints = typing.get_type_hints(struct, include_extras=True)
        lines = []
        config = struct.__struct_config__
        if config.tag is not None:
            lines.append(f'  {config.tag_field}: "{config.tag}";')
        for field in msgspec.structs.fields(struct):
            optional, spelled = self._field(field, hints[field.name], config.omit_defaults)
            lines.append(f"  {field.encode_name}{'?' if optional else ''}: {spelled};")
        self.parts.append(f"export interface {name} {{\n" + "\n".join(lines) + "\n}\n")
        return name

    def _field(self, field: Any, hint: Any, omit_defaults: bool) -> tuple[bool, str]:
        # The stream numbers an event before it leaves, so `seq`, `ts` and `notebookId` are always there.
        always = field.required or not omit_defaults or (field.encode_name in {"seq", "ts", "notebookId"})
        if always:
            return False, self._spell(hint)
        nullable = type(None) in typing.get_args(hint) and field.default is not None
        arms = [arm for arm in _arms(hint) if arm is not type(None) and arm is not msgspec.UnsetType]
        spelled = " | ".join(dict.fromkeys(self._spell(arm) for arm in arms))
        return True, f"{spelled} | null" if nullable else spelled

    def _name(self, struct: type) -> str:
        assert struct.__name__ not in self._names.values(), f"two structs are called {struct.__name__}"
        return struct.__name__

    def _spell(self, hint: Any) -> str:
        if not isinstance(hint, type) and hint in self._aliases:
            return self._aliases[hint]
        origin = typing.get_origin(hint)
        if origin is typing.Annotated:
            return self._spell(typing.get_args(hint)[0])
        if origin is typing.Literal:
            return " | ".join(f'"{value}"' for value in typing.get_args(hint))
        if origin in (typing.Union, types.UnionType):
            return " | ".join(dict.fromkeys(self._spell(arm) for arm in _arms(hint)))
        if origin is tuple:
            return _array(self._spell(typing.get_args(hint)[0]))
        if origin is dict:
            return f"Record<string, {self._spell(typing.get_args(hint)[1])}>"
        if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
            return self.struct(hint)
        return _SCALARS[hint]


_SCALARS: dict[Any, str] = {
    str: "string",
    bytes: "string | Uint8Array",  # base64 in JSON, bin in msgpack
    int: "number",
    float: "number",
    bool: "boolean",
    type(None): "null",
    Any: "unknown",
}


def _arms(hint: Any) -> tuple[Any, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _array(item: str) -> str:
    return f"({item})[]" if "|" in item else f"{item}[]"


if __name__ == "__main__":
    print(typescript(), end="")
