"""`tailrace check`: each rule finds what it is for, at its place, and is silent about its harmless neighbour."""

import json
from pathlib import Path
from typing import Any

import pytest

from tailrace_cli.findings import RULES
from tailrace_cli.main import main

ROOT = Path(__file__).parents[2]
HEAD = "# a notebook\n\n"


def cells(**code: str) -> str:
    return "\n".join(f'# %% id="{cell}"\n{text}\n' for cell, text in code.items())


def sql(text: str) -> str:
    return f'# %% language="sql" id="q"\n# {text}\n'


def check(path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    path.write_text(text)
    code = main(["check", "--json", str(path)])
    return code, json.loads(capsys.readouterr().out)


# rule, notebook, cell, line in the cell, names that are said; and the neighbour, of which that rule says nothing
CASES = [
    ("syntax", cells(a="x = 1\nif:"), "a", 2, (), cells(a="x = 1\nif x: pass")),
    ("cycle", cells(a="\n\nx = y", b="y = x"), "a", 3, ("x", "y"), cells(a="x = 0", b="y = x")),
    ("star_import", cells(a="import math\nfrom math import *"), "a", 2, (), cells(a="from math import sin")),
    ("sql_syntax", sql("selec x fro"), "q", 1, (), sql("select 1")),
    (
        "sql_table_parameter",
        cells(t="t = 1") + sql("select * from {t}"),
        "q",
        1,
        (),
        cells(t="t = 1") + sql("select {t}"),
    ),
    ("bad_header", sql("-- connection: a/b"), "q", 1, (), sql("-- connection: a_b")),
    (
        "unwritten_read",
        cells(a="total = 1", b="\n\nprint(1)\nprint(totl)"),
        "b",
        4,
        ("totl",),
        cells(a="total = 1", b="print(total)"),
    ),
    ("unwritten_read", cells(a="x = x + 1"), "a", 1, ("x",), cells(a="x = 0", b="x = x + 1")),
    (
        "unwritten_read",
        cells(a="def f():\n    return late"),
        "a",
        2,
        ("late",),
        cells(a="def f():\n    return late", b="late = 1"),
    ),
    (
        "unwritten_read",
        sql("select * from orders"),
        "q",
        1,
        ("orders",),
        cells(o="orders = 1") + sql("select * from orders"),
    ),
    ("unwritten_read", sql("select :since"), "q", 1, ("since",), cells(s="since = 1") + sql("select :since")),
    (
        "unwritten_read",
        cells(a="print(__file__)"),
        "a",
        1,
        ("__file__",),
        cells(a="display(In, _, _i3, get_ipython(), len)"),
    ),
    ("shadows_builtin", cells(a="x = 1\nlist = [x]"), "a", 2, ("list",), cells(a="mine = list()")),
    ("shadows_builtin", cells(a="def sum(): pass"), "a", 1, ("sum",), cells(a="class A:\n    sum = 1")),
    ("alias_mutation", cells(a="x = [1]", b="y = x\ny.append(2)"), "b", 1, ("x",), cells(a="x = [1]", b="x.append(2)")),
    (
        "alias_mutation",
        cells(a="x = [1]", b="y = x", c="y.append(2)"),
        "c",
        1,
        ("y", "x"),
        cells(a="x = [1]", b="y = list(x)", c="y.append(2)"),
    ),
    ("alias_mutation", cells(a="x = [1]", b="y = x", c="y = [3]", d="y.append(2)"), None, None, (), cells(a="")),
    (
        "several_writers",
        cells(a="k = 1", b="\nj = 0\nk = 2"),
        "b",
        3,
        ("k",),
        cells(a="for i in []: pass", b="for i in []: pass"),
    ),
    ("several_writers", cells(a="import os", b="import os"), None, None, (), cells(a="")),
    (
        "read_of_star_import",
        cells(a="from math import *\nprint(sin(1))"),
        "a",
        2,
        ("sin",),
        cells(a="import math\nmath.sin"),
    ),
    ("unwritten_read", cells(a="exec('x = 1')", b="print(x)"), None, None, (), cells(a="")),
]


@pytest.mark.parametrize(("kind", "text", "cell", "line", "names", "neighbour"), CASES)
def test_a_rule_finds_its_case_and_lets_the_neighbour_be(
    kind: str,
    text: str,
    cell: str | None,
    line: int | None,
    names: tuple[str, ...],
    neighbour: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = [one for one in check(tmp_path / "nb.py", HEAD + text, capsys)[1] if one["kind"] == kind]
    if cell is None:
        assert found == []
    else:
        assert [(one["cell"], one["line"], tuple(one["names"])) for one in found] == [(cell, line, names)]
        assert found[0]["hint"]
        assert found[0]["message"]
    assert not [one for one in check(tmp_path / "other.py", neighbour, capsys)[1] if one["kind"] == kind]


def test_every_rule_has_a_case_and_a_line_in_the_specification() -> None:
    spec = (ROOT / "protocol" / "SPEC.md").read_text()
    for rule in RULES:
        assert f"| {rule.code} | {rule.kind} | {rule.severity} |" in spec
    assert {rule.kind for rule in RULES} - {"other"} == {case[0] for case in CASES}
    assert len({rule.code for rule in RULES}) == len(RULES)


def test_only_errors_make_the_command_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "nb.py", cells(a="print(nobody)", b="list = 1", c="list = 2"), capsys)[0] == 0
    assert check(tmp_path / "nb.py", cells(a="print(nobody)", b="if:"), capsys)[0] == 1


def test_a_line_is_one_that_an_editor_opens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line of the file, header, markers and blank lines counted; that of the cell stands behind."""
    path = tmp_path / "nb.py"
    path.write_text(HEAD + cells(a="total = 1", b="\n\nx = 2\nprint(totl)"))
    assert main(["check", str(path)]) == 0
    line = next(each for each in capsys.readouterr().out.splitlines() if "W211" in each)
    at = path.read_text().splitlines().index("print(totl)") + 1
    assert line.startswith(
        f"{path}:{at}: W211 unwritten_read: no cell writes totl; did you mean total? (cell b line 4;"
    )


def test_jupyter_files_have_cells_and_no_lines_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = {"cell_type": "code", "id": "a", "source": "\nprint(nobody)", "metadata": {}, "outputs": []}
    text = json.dumps(
        {"cells": [{**cell, "execution_count": None}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    )
    [one] = check(tmp_path / "nb.ipynb", text, capsys)[1]
    assert (one["cell"], one["line"], one["fileLine"]) == ("a", 2, None)
