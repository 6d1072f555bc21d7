"""`tailrace graph`: which cell reads what from which, as JSON, DOT, Mermaid or text. Runs no user code."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tailrace_cli.outline import Outline, OutlinedCell, outline
from tailrace_cli.source import read_cells, title
from tailrace_gateway.records import StoredCell

Titles = dict[str, str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebook", type=Path, metavar="NOTEBOOK")
    form = parser.add_mutually_exclusive_group()
    for name, note in (("json", "as JSON"), ("dot", "for Graphviz"), ("mermaid", "for Markdown pages")):
        form.add_argument(f"--{name}", dest="form", action="store_const", const=name, help=note)
    parser.set_defaults(main=main, form="text")


def main(chosen: argparse.Namespace) -> int:
    cells = read_cells(chosen.notebook)
    print(FORMS[chosen.form](outline(cells), _titles(cells)))
    return 0


def as_object(found: Outline) -> dict[str, Any]:
    """SPEC.md part C: cells in document order, names sorted."""
    return {
        "cells": [
            {
                "id": cell.id,
                "type": cell.type,
                "reads": list(cell.reads),
                "writes": list(cell.writes),
                "diagnostics": [_given(asdict(one)) for one in cell.diagnostics],
            }
            for cell in found.cells
        ],
        "edges": [{"from": edge.from_, "to": edge.to, "names": sorted(edge.names)} for edge in found.edges],
        "cycles": [list(cycle) for cycle in found.cycles],
    }


def _json(found: Outline, titles: Titles) -> str:
    return json.dumps(as_object(found), indent=2, ensure_ascii=False)


def _dot(found: Outline, titles: Titles) -> str:
    nodes = [f"  {_quoted(cell.id)} [label={_quoted(titles[cell.id])}];" for cell in _code(found)]
    edges = [
        f"  {_quoted(edge.from_)} -> {_quoted(edge.to)} [label={_quoted(_names(edge.names))}];" for edge in found.edges
    ]
    return "\n".join(["digraph notebook {", "  node [shape=box];", *nodes, *edges, "}"])


def _mermaid(found: Outline, titles: Titles) -> str:
    """Nodes are numbered: ids may hold what Mermaid reads as syntax."""
    node = {cell.id: f"c{number}" for number, cell in enumerate(found.cells)}
    nodes = [f'  {node[cell.id]}["{_escaped(titles[cell.id])}"]' for cell in _code(found)]
    edges = [f'  {node[edge.from_]} -->|"{_escaped(_names(edge.names))}"| {node[edge.to]}' for edge in found.edges]
    return "\n".join(["flowchart TD", *nodes, *edges])


def _text(found: Outline, titles: Titles) -> str:
    lines = []
    for cell in _code(found):
        lines.append(titles[cell.id])
        lines += [f"  reads {_names(edge.names)} from {edge.from_}" for edge in found.edges if edge.to == cell.id]
        lines += [f"  writes {_names(cell.writes)}"] if cell.writes else []
        lines += [f"  ! {one.message}" for one in cell.diagnostics]
    return "\n".join(lines)


FORMS: dict[str, Callable[[Outline, Titles], str]] = {"json": _json, "dot": _dot, "mermaid": _mermaid, "text": _text}


def _titles(cells: tuple[StoredCell, ...]) -> Titles:
    return {cell.id: title(cell) for cell in cells}


def _code(found: Outline) -> list[OutlinedCell]:
    return [cell for cell in found.cells if cell.type != "markdown"]


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(sorted(names))


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, ())}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
