"""The first line of a SQL cell that names its connection and result. Pure; knows the line, not SQL.

Two forms: `-- connection: pg  result: orders` and `%%sql [connection] [result <<]`. The line wins over everything else.
"""

import re
from dataclasses import dataclass

_COMMENT = re.compile(r"^--\s*(?=(?:connection|result)\s*:)(?P<rest>.*)$")
_PAIR = re.compile(r"(connection|result)\s*:\s*([A-Za-z0-9_-]+)")
_MAGIC = re.compile(
    r"^%%sql(?:[ \t]+(?P<connection>[A-Za-z0-9_-]+)(?![A-Za-z0-9_-]|[ \t]*<<))?"
    r"(?:[ \t]+(?P<result>[A-Za-z0-9_-]+)[ \t]*<<)?[ \t]*$"
)


@dataclass(frozen=True, slots=True)
class Header:
    connection: str | None
    result: str | None
    magic: bool


def parse_header(code: str) -> Header | None:
    """The header of this SQL code, or null when its first line is none."""
    line = code.partition("\n")[0].rstrip()
    if match := _MAGIC.match(line):
        return Header(match["connection"], match["result"], magic=True)
    if match := _COMMENT.match(line):
        pairs = dict(_PAIR.findall(match["rest"]))
        return Header(pairs.get("connection"), pairs.get("result"), magic=False)
    return None


def edit_header(code: str, *, connection: str | None = None, result: str | None = None) -> str:
    """The code with these names in its header line; a null keeps what is there. Adds the line if it is missing."""
    old = parse_header(code)
    header = Header(
        connection=connection or (old.connection if old else None),
        result=result or (old.result if old else None),
        magic=old.magic if old else False,
    )
    if header == old:
        return code
    body = code.partition("\n")[2] if old else code
    return f"{format_header(header)}\n{body}"


def format_header(header: Header) -> str:
    if header.magic:
        parts = ["%%sql", header.connection or "", f"{header.result} <<" if header.result else ""]
        return " ".join(part for part in parts if part)
    pairs = (("connection", header.connection), ("result", header.result))
    return "-- " + "  ".join(f"{name}: {value}" for name, value in pairs if value)
