"""Notebooks as Jupyter files (nbformat 4.5). Pure: text in, text out.

Keeps what it does not know: key order, indentation, metadata, attachments and outputs of cells that did not change
stay as they were. A SQL cell is a code cell whose first line is `%%sql …`, so that other frontends run the same cell.
Runs no code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import nbformat

from tailrace_gateway.cell_ids import same_cells, with_ids
from tailrace_gateway.ipynb_outputs import Blob, joined, lines, read_outputs, write_outputs
from tailrace_gateway.records import StoredCell
from tailrace_gateway.sql_header import magic_line, parse_header
from tailrace_protocol.objects import Output, ResultOutput, Settings

EXTRA = "tailrace"
KERNELSPEC = {"display_name": "Tailrace", "language": "python", "name": "tailrace"}

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class IpynbText:
    """A file as read: the whole tree, and per cell its node and what we made of it."""

    tree: Node = field(default_factory=dict)
    cells: tuple[StoredCell, ...] = ()
    nodes: Mapping[str, Node] = field(default_factory=dict)
    outputs: Mapping[str, tuple[Output, ...]] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    style: Mapping[str, Any] = field(default_factory=lambda: {"indent": 1, "ensure_ascii": False})
    ending: str = "\n"
    text: str = ""


def read_ipynb(text: str) -> IpynbText:
    """Parse. Raises ValueError with a sentence for a person when the text is no notebook."""
    try:
        tree = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"it is not valid JSON ({error})") from None
    if not isinstance(tree, dict) or not isinstance(tree.get("nbformat"), int):
        raise ValueError("it is no Jupyter notebook: the key nbformat is missing")
    style, ending = _style_of(tree, text)
    if tree["nbformat"] != 4:
        tree = _upgraded(tree)
    nodes = tree.get("cells")
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise ValueError("it is no Jupyter notebook: cells must be a list of objects")
    cells = with_ids([_cell_of(node) for node in nodes])
    pairs = list(zip(cells, nodes, strict=True))
    outputs = {cell.id: read_outputs(node.get("outputs")) for cell, node in pairs}
    return IpynbText(
        tree=tree,
        cells=cells,
        nodes={cell.id: node for cell, node in pairs},
        outputs={cell_id: found for cell_id, found in outputs.items() if found},
        settings=_settings_of(tree),
        style=style,
        ending=ending,
        text=text,
    )


def write_ipynb(
    cells: Sequence[StoredCell],
    former: IpynbText,
    *,
    outputs: Mapping[str, tuple[Output, ...]] | None = None,
    settings: Settings | None = None,
    blob: Blob | None = None,
) -> str:
    """The text of `rewrite_ipynb`."""
    return rewrite_ipynb(cells, former, outputs=outputs, settings=settings, blob=blob).text


def rewrite_ipynb(
    cells: Sequence[StoredCell],
    former: IpynbText,
    *,
    outputs: Mapping[str, tuple[Output, ...]] | None = None,
    settings: Settings | None = None,
    blob: Blob | None = None,
) -> IpynbText:
    """The file that says this; null outputs or settings stay as they were in the former text."""
    wanted = dict(former.outputs if outputs is None else {key: value for key, value in outputs.items() if value})
    settings = former.settings if settings is None else settings
    if former.tree and same_cells(cells, former.cells) and wanted == former.outputs and settings == former.settings:
        return former
    known = {cell.id: cell for cell in former.cells}
    nodes = [_node_of(cell, known.get(cell.id), former, wanted.get(cell.id, ()), blob) for cell in cells]
    tree = dict(former.tree) or {"cells": [], "metadata": {"kernelspec": KERNELSPEC}, "nbformat": 4}
    tree["cells"] = nodes
    tree["nbformat_minor"] = max(5, tree.get("nbformat_minor", 5))
    metadata = dict(tree.get("metadata") or {})
    extra = {key: value for key, value in _extra_of(metadata).items() if key not in _SETTINGS}
    extra |= {key: getattr(settings, key) for key, default in _SETTINGS.items() if getattr(settings, key) != default}
    tree["metadata"] = _with_extra(metadata, extra)
    return read_ipynb(json.dumps(tree, **former.style) + former.ending)


_SETTINGS = {name: getattr(Settings(), name) for name in Settings.__struct_fields__}
_KINDS = {field.name: field.type for field in msgspec.structs.fields(Settings)}
_OURS = frozenset({"name", "mode", "execution", "type", "header"})


def _style_of(tree: Node, text: str) -> tuple[dict[str, Any], str]:
    """How the file was written: indentation and escapes, so that a change touches nothing else."""
    body = text.rstrip("\n")
    ending = text[len(body) :]
    second = body.partition("\n")[2]
    indent: int | str = 1
    if second:
        white = second[: len(second) - len(second.lstrip(" \t"))]
        indent = white if "\t" in white else len(white) or 1
    ascii_only = body.isascii() and "\\u" in body
    for style in (
        {"indent": indent, "ensure_ascii": ascii_only},
        {"indent": indent, "ensure_ascii": not ascii_only},
        {"indent": None, "ensure_ascii": ascii_only, "separators": (",", ":")},
        {"indent": None, "ensure_ascii": ascii_only},
    ):
        if json.dumps(tree, **style) == body:
            return dict(style), ending
    return {"indent": indent, "ensure_ascii": ascii_only}, ending


def _upgraded(tree: Node) -> Node:
    """An older notebook as nbformat 4."""
    try:
        upgraded = nbformat.convert(nbformat.from_dict(tree), 4)  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat raises whatever the broken tree provokes
        raise ValueError(f"it is of nbformat {tree['nbformat']} and cannot be upgraded ({error})") from None
    loaded: Node = json.loads(json.dumps(upgraded))
    return loaded


def _cell_of(node: Node) -> StoredCell:
    code = joined(node.get("source")).replace("\r\n", "\n").replace("\r", "\n")
    metadata = node.get("metadata")
    extra = _extra_of(metadata if isinstance(metadata, dict) else {})
    kind = extra.get("type")
    if node.get("cell_type") != "code":
        kind = "markdown"
    elif kind not in {"python", "sql"}:
        kind = "sql" if parse_magic(code) else "python"
    if kind == "sql" and not extra.get("header"):
        code = _without_line(code)
    name, mode, execution = extra.get("name"), extra.get("mode"), extra.get("execution")
    return StoredCell(
        id=str(node.get("id", "")),
        type=kind,  # type: ignore[arg-type]
        code=code,
        name=name if isinstance(name, str) else None,
        mode=mode if mode in {"auto", "manual", "disabled"} else "auto",
        execution=execution if execution in {"local", "cluster"} else "local",
    )


def parse_magic(code: str) -> bool:
    first = code.partition("\n")[0].rstrip()
    return first == "%%sql" or first.startswith(("%%sql ", "%%sql\t"))


def _source_of(cell: StoredCell) -> tuple[str, Node]:
    """Source in the file, and the settings that reading it back needs."""
    if cell.type == "python" and parse_magic(cell.code):
        return cell.code, {"type": "python"}
    if cell.type != "sql":
        return cell.code, {}
    if parse_magic(cell.code):
        return cell.code, {"header": True} if _without_line(cell.code) != cell.code else {}
    header = parse_header(cell.code)
    first = magic_line(header.connection, header.result) if header is not None else "%%sql"
    return f"{first}\n{cell.code}", {}


def _without_line(code: str) -> str:
    """SQL code without its first line when that line says nothing that the rest does not."""
    first, newline, rest = code.partition("\n")
    if not newline:
        return code
    if first == "%%sql" and not _names(rest):
        return rest
    names = _names(first)
    return rest if names and names == _names(rest) and not parse_magic(rest) else code


def _names(code: str) -> tuple[str | None, str | None] | None:
    header = parse_header(code)
    return (header.connection, header.result) if header and (header.connection or header.result) else None


def _node_of(
    cell: StoredCell, known: StoredCell | None, former: IpynbText, outputs: tuple[Output, ...], blob: Blob | None
) -> Node:
    """The cell's node: the former one where nothing changed, else the former one with what changed."""
    old = former.nodes.get(cell.id)
    kind = "code" if cell.type != "markdown" else "markdown"
    if old is not None and old.get("cell_type") == "raw" and kind == "markdown":
        kind = "raw"
    if old is None or old.get("cell_type") != kind:
        node = _new_node(kind, cell.id)
        known = None
    elif old.get("id") != cell.id:
        node = {key: value for key, value in old.items() if key != "id"} | {"id": cell.id}
    else:
        node = dict(old)
    if known is None or not same_cells([known], [cell]):
        source, extra = _source_of(cell)
        metadata = dict(node.get("metadata") or {})
        node["source"] = lines(source)
        node["metadata"] = _with_extra(metadata, _cell_extra(cell, metadata) | extra)
    if kind == "code" and outputs != former.outputs.get(cell.id, ()):
        node["outputs"] = write_outputs(outputs, blob)
        counts = [output.execution_count for output in outputs if isinstance(output, ResultOutput)]
        node["execution_count"] = counts[-1] if counts else None
    return node


def _new_node(kind: str, cell_id: str) -> Node:
    """An empty cell, its keys in the order that Jupyter writes them."""
    node: Node = {
        "cell_type": kind,
        "execution_count": None,
        "id": cell_id,
        "metadata": {},
        "outputs": [],
        "source": [],
    }
    return node if kind == "code" else {key: node[key] for key in ("cell_type", "id", "metadata", "source")}


def _cell_extra(cell: StoredCell, metadata: Node) -> Node:
    extra = {key: value for key, value in _extra_of(metadata).items() if key not in _OURS}
    extra |= {"name": cell.name} if cell.name else {}
    extra |= {"mode": cell.mode} if cell.mode != "auto" else {}
    return extra | ({"execution": cell.execution} if cell.execution != "local" else {})


def _extra_of(metadata: Node) -> Node:
    extra = metadata.get(EXTRA)
    return extra if isinstance(extra, dict) else {}


def _with_extra(metadata: Node, extra: Node) -> Node:
    if extra:
        return metadata | {EXTRA: dict(sorted(extra.items()))}
    return {key: value for key, value in metadata.items() if key != EXTRA}


def _settings_of(tree: Node) -> Settings:
    metadata = tree.get("metadata")
    extra = _extra_of(metadata if isinstance(metadata, dict) else {})
    return Settings(**{key: extra[key] for key, kind in _KINDS.items() if key in extra and _is(extra[key], kind)})


def _is(value: object, kind: Any) -> bool:
    """A setting of a later version, or of no meaning, is as if it were not there."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True
