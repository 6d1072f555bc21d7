"""`tailrace check`: what analysis finds wrong with notebooks. Runs no user code; exit 1 when there is an error."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tailrace_cli.outline import Outline, outline
from tailrace_cli.source import read_cells

ERRORS = frozenset({"syntax", "cycle"})  # with these a cell cannot run; the rest are warnings


@dataclass(frozen=True, slots=True)
class Finding:
    """`line` counts from 1 within the cell."""

    notebook: str
    cell: str
    kind: str
    message: str
    line: int | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebooks", type=Path, nargs="+", metavar="NOTEBOOK")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    outlines = [(path, outline(read_cells(path))) for path in chosen.notebooks]
    found = [finding for path, each in outlines for finding in findings(str(path), each)]
    if chosen.json:
        print(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        for finding in found:
            place = finding.cell if finding.line is None else f"{finding.cell}:{finding.line}"
            print(f"{finding.notebook}: {place}: {finding.kind}: {finding.message}")
        print(f"{count(len(found), 'finding')} in {count(len(outlines), 'notebook')}" if found else "Nothing found.")
    return int(any(finding.kind in ERRORS for finding in found))


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def findings(notebook: str, found: Outline) -> Iterator[Finding]:
    for cell in found.cells:
        for one in cell.diagnostics:
            yield Finding(notebook, cell.id, one.kind, one.message, one.line)
