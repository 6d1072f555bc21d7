"""`tailrace check`: what is wrong, or looks wrong, with notebooks. Runs no user code; exit 1 when there is an error."""

import argparse
import json
from pathlib import Path
from typing import Any

from tailrace_cli.findings import RULES, Finding, Severity, findings
from tailrace_cli.outline import outline
from tailrace_cli.source import first_lines, read_cells

Found = tuple[Path, int | None, Finding]  # the notebook, the line of the file that the finding means, and what it is


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("notebooks", type=Path, nargs="+", metavar="NOTEBOOK")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "rules:\n" + "\n".join(f"  {rule.code} {rule.kind:<20} {rule.severity}" for rule in RULES)
    parser.set_defaults(main=main)


def main(chosen: argparse.Namespace) -> int:
    found = [one for path in chosen.notebooks for one in _check(path)]
    if chosen.json:
        print(json.dumps([_object(*one) for one in found], indent=2, ensure_ascii=False))
    else:
        for one in found:
            print(_line(*one))
        print(_sum(found, len(chosen.notebooks)))
    return int(any(finding.rule.severity is Severity.ERROR for _, _, finding in found))


def count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _check(path: Path) -> list[Found]:
    cells = read_cells(path)
    first = first_lines(path)
    return [
        (path, first[one.cell] + (one.line or 1) - 1 if one.cell in first else None, one)
        for one in findings(outline(cells))
    ]


def _line(path: Path, file_line: int | None, one: Finding) -> str:
    """As linters print: a terminal or an editor makes a link of the start."""
    where = str(path) if file_line is None else f"{path}:{file_line}"
    cell = f"cell {one.cell}" if one.line is None else f"cell {one.cell} line {one.line}"
    return f"{where}: {one.rule.code} {one.rule.kind}: {one.message} ({cell}; {one.rule.hint})"


def _object(path: Path, file_line: int | None, one: Finding) -> dict[str, Any]:
    return {
        "notebook": str(path),
        "fileLine": file_line,
        "cell": one.cell,
        "line": one.line,
        "column": one.column,
        "code": one.rule.code,
        "kind": one.rule.kind,
        "severity": one.rule.severity,
        "message": one.message,
        "hint": one.rule.hint,
        "names": list(one.names),
        "cells": list(one.cells),
    }


def _sum(found: list[Found], notebooks: int) -> str:
    if not found:
        return "Nothing found."
    kinds = [finding.rule.severity for _, _, finding in found]
    parts = [count(kinds.count(each), noun) for each, noun in NOUNS.items() if each in kinds]
    return f"{', '.join(parts)} in {count(notebooks, 'notebook')}"


NOUNS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFORMATION: "note"}
