"""The header line of a SQL cell, which names its connection and result. Pure; knows the line, not SQL.

Two forms: `-- connection: pg  result: orders` and `%%sql [connection] [result <<]`, on the first line that is not
blank. The line wins over everything else. The kernel reads it alike; a test holds the two together.
"""

import re
from dataclasses import dataclass

_COMMENT = re.compile(r"--\s*(?=\w+\s*:)((?:(?:connection|result|write)\s*:\s*\S+\s*)+)$")
_FIELD = re.compile(r"(connection|result|write)\s*:\s*(\S+)")
_MAGIC = re.compile(r"%%sql\b(.*)$")


@dataclass(frozen=True, slots=True)
class Header:
    """`line` is its place in the code, from 0; `behind` is SQL that follows on the same line."""

    connection: str | None
    result: str | None
    magic: bool
    line: int
    behind: str = ""


def parse_header(code: str) -> Header | None:
    """The header of this SQL code, or null when it has none."""
    lines = code.split("\n")
    line = next((number for number, text in enumerate(lines) if text.strip()), 0)
    first = lines[line].strip()
    if match := _MAGIC.match(first):
        return _parse_magic(match[1], line)
    if match := _COMMENT.match(first):
        fields = dict(_FIELD.findall(match[1]))
        return Header(fields.get("connection"), fields.get("result"), magic=False, line=line)
    return None


def _parse_magic(arguments: str, line: int) -> Header:
    named, arrow, behind = arguments.partition("<<")
    words = named.split()
    if arrow:
        result = words.pop() if words else None
        return Header(words[0] if words else None, result, magic=True, line=line, behind=behind.strip())
    if len(words) > 1:  # a statement, not names
        return Header(None, None, magic=True, line=line, behind=arguments.strip())
    return Header(words[0] if words else None, None, magic=True, line=line)


def edit_header(code: str, *, connection: str | None = None, result: str | None = None) -> str:
    """The code with these names in its header line; a null keeps what is there. Adds the line if it is missing."""
    wanted = {name: value for name, value in (("connection", connection), ("result", result)) if value is not None}
    old = parse_header(code)
    if old is None:
        return f"{_with_fields('--', wanted)}\n{code}" if wanted else code
    if all(getattr(old, name) == value for name, value in wanted.items()):
        return code
    lines = code.split("\n")
    if old.magic:
        lines[old.line : old.line + 1] = _magic_lines(connection or old.connection, result or old.result, old.behind)
    else:
        lines[old.line] = _with_fields(lines[old.line].rstrip(), wanted)
    return "\n".join(lines)


def magic_line(connection: str | None, result: str | None) -> str:
    parts = ("%%sql", connection or "", f"{result} <<" if result else "")
    return " ".join(part for part in parts if part)


def _magic_lines(connection: str | None, result: str | None, behind: str) -> list[str]:
    line = magic_line(connection, result)
    return [line, behind] if behind else [line]


def _with_fields(line: str, wanted: dict[str, str]) -> str:
    """A comment line with these values; its other fields stay as they are."""
    for name, value in wanted.items():
        found = next((field for field in _FIELD.finditer(line) if field[1] == name), None)
        if found is None:
            line += f"{' ' if line == '--' else '  '}{name}: {value}"
        else:
            line = line[: found.start(2)] + value + line[found.end(2) :]
    return line
