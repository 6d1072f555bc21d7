"""Notebook files: what they say, byte stability, foreign files, atomic replacement, outside edits, limits."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tailrace_gateway.cell_ids import same_cells, with_ids
from tailrace_gateway.ipynb import IpynbText, read_ipynb, rewrite_ipynb
from tailrace_gateway.notebook_file import ChangedOnDisk, NotebookFile, Written
from tailrace_gateway.percent import PercentText, read_percent, rewrite_percent
from tailrace_gateway.records import StoredCell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.limits import MAX_CELLS, MAX_CODE
from tailrace_protocol.objects import (
    TABLE_MIME,
    CellMode,
    CellType,
    DisplayOutput,
    ErrorOutput,
    Output,
    ResultOutput,
    Settings,
    StreamOutput,
)

OURS = """# %% id="k3f9a2"
x = 1

# %% language="sql" id="q1"
# -- connection: pg  result: orders
# SELECT *
#
# FROM t

# %% [markdown] id="m1"
# # Title
#
# text

# %% id="d2" tailrace={"name": "slow", "mode": "manual", "execution": "cluster"}
# %matplotlib inline
# !ls
y = x
"""
CELLS = (
    StoredCell(id="k3f9a2", type="python", code="x = 1"),
    StoredCell(id="q1", type="sql", code="-- connection: pg  result: orders\nSELECT *\n\nFROM t"),
    StoredCell(id="m1", type="markdown", code="# Title\n\ntext"),
    StoredCell(
        id="d2",
        type="python",
        code="%matplotlib inline\n!ls\ny = x",
        name="slow",
        mode="manual",
        execution="cluster",
    ),
)


def test_percent_is_spelled_as_documented() -> None:
    assert rewrite_percent(CELLS, PercentText()).text == OURS
    assert same_cells(read_percent(OURS).cells, CELLS)


def test_jupytext_reads_what_we_write() -> None:
    notebook = jupytext.reads(OURS, fmt="py:percent")
    assert [cell.source for cell in notebook.cells] == [
        "x = 1",
        "%%sql\n-- connection: pg  result: orders\nSELECT *\n\nFROM t",
        "# Title\n\ntext",
        "%matplotlib inline\n!ls\ny = x",
    ]
    assert jupytext.writes(notebook, fmt={"extension": ".py", "format_name": "percent"}).endswith("y = x\n")


def test_our_python_file_is_a_python_program() -> None:
    compile(OURS, "notebook.py", "exec")


FOREIGN = """#!/usr/bin/env python
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# title: kept
# ---

import os



# %%   Load   tags=["a"]
x = 1
#%%
def f():
    return 1


# %% [markdown]
# text
# %% [raw]
# raw

# In[3]:
y = 2"""


def test_a_foreign_file_keeps_its_characters() -> None:
    read = read_percent(FOREIGN)
    assert [cell.code for cell in read.cells] == [
        "import os\n\n",
        "x = 1",
        "def f():\n    return 1",
        "text",
        "raw",
        "y = 2",
    ]
    assert rewrite_percent(read.cells, read).text == FOREIGN
    assert read_percent(FOREIGN).cells == read.cells  # the same ids at every reading

    edited = [replace(cell, code="x = 100") if cell.code == "x = 1" else cell for cell in read.cells]
    text = rewrite_percent(edited, read).text
    marker = f'# %% Load id="{read.cells[1].id}" tags=["a"]'
    expected = FOREIGN.replace('# %%   Load   tags=["a"]\nx = 1\n', f"{marker}\nx = 100\n")
    assert text == expected
    assert same_cells(read_percent(text).cells, edited)


def test_only_identity_that_is_needed_is_written() -> None:
    text = "# %%\nsame\n\n# %%\nsame\n\n# %%\nother\n"
    read = read_percent(text)
    first, second, other = read.cells
    assert first.id != second.id
    assert rewrite_percent([first, second, replace(other, code="new")], read).text.count("id=") == 1
    swapped = rewrite_percent([second, first, other], read).text
    assert [cell.id for cell in read_percent(swapped).cells] == [second.id, first.id, other.id]
    removed = rewrite_percent([second, other], read).text
    assert [cell.id for cell in read_percent(removed).cells] == [second.id, other.id]


def test_repeated_and_unusable_ids_are_replaced() -> None:
    read = read_percent('# %% id="a"\n1\n\n# %% id="a"\n2\n\n# %% id="no good"\n3\n\n# %% id=7\n4\n')
    ids = [cell.id for cell in read.cells]
    assert ids[0] == "a"
    assert len(set(ids)) == 4
    assert all(cell.isalnum() for cell in ids)


def test_header_of_another_jupytext_format_is_refused() -> None:
    header = (
        "# ---\n# jupyter:\n#   jupytext:\n#     text_representation:\n#       format_name: light\n# ---\n\nx = 1\n"
    )
    with pytest.raises(ValueError, match="jupytext --to py:percent"):
        read_percent(header)
    assert read_percent(header.replace("light", "hydrogen")).magics is False


KINDS: st.SearchStrategy[CellType] = st.sampled_from(["python", "sql", "markdown"])
MODES: st.SearchStrategy[CellMode] = st.sampled_from(["auto", "manual", "disabled"])
LINES = st.sampled_from(
    [
        "x = 1",
        "",
        "  ",
        "    indented",
        "# comment",
        "#",
        "# %%",
        "# %% [markdown]",
        "# In[3]:",
        '"""',
        "'''",
        "s = 'it\\'s'",
        "%matplotlib inline",
        "%%sql",
        "%%sql pg orders <<",
        "%%bash -x",
        "# %time x",
        "!ls",
        "?help",
        "ls",
        "-- connection: pg  result: r",
        "```",
        "---",
        "# ---",
        "-",
        "# +",
        "# -",
        "é = '€'",
        "{a=1}",
        'b="c d"',
        "\ttab",
        "line\x0cfeed",
        "line\u2028separator",
        "back\\slash\\d",
        "coding: latin-1",
        "#!shebang",
        "import os",
        "def f(): pass",
        "\ufeff",
        "nul\0",
    ]
)
CODES = st.lists(LINES, max_size=5).map("\n".join) | st.text("#% \n'\"ab\\={}[]", max_size=12)
NAMES = st.none() | st.sampled_from(["plain", 'odd "name" = {x}', "[markdown]", "%%", "é"])
SOME_CELLS = st.lists(
    st.builds(StoredCell, id=st.just(""), type=KINDS, code=CODES, name=NAMES, mode=MODES), min_size=1, max_size=6
).map(with_ids)


@given(SOME_CELLS)
@settings(max_examples=120, deadline=None)
@example((StoredCell(id="a", type="python", code='s = """'), StoredCell(id="b", type="python", code="x")))
def test_percent_gives_back_any_cells(cells: tuple[StoredCell, ...]) -> None:
    text = rewrite_percent(cells, PercentText()).text
    read = read_percent(text)
    assert same_cells(read.cells, cells)
    assert rewrite_percent(read.cells, read).text == text


@given(SOME_CELLS, st.data())
@settings(max_examples=80, deadline=None)
def test_percent_keeps_what_did_not_change(cells: tuple[StoredCell, ...], data: st.DataObject) -> None:
    """Edits, moves, insertions and deletions on any file, ours or not."""
    foreign = data.draw(st.lists(LINES, max_size=12).map("\n".join), label="foreign")
    former = read_percent(
        data.draw(st.sampled_from([rewrite_percent(cells, PercentText()).text, foreign]), label="file")
    )
    wanted = list(data.draw(st.permutations(former.cells)))
    added = data.draw(SOME_CELLS, label="added")
    wanted += [replace(cell, id=f"new{number}") for number, cell in enumerate(added)]
    del wanted[: data.draw(st.integers(0, len(wanted) - 1))]
    written = rewrite_percent(wanted, former)
    assert same_cells(read_percent(written.text).cells, wanted)
    assert same_cells(written.cells, wanted)


@given(SOME_CELLS)
@settings(max_examples=80, deadline=None)
def test_ipynb_gives_back_any_cells(cells: tuple[StoredCell, ...]) -> None:
    text = rewrite_ipynb(cells, IpynbText()).text
    read = read_ipynb(text)
    assert same_cells(read.cells, cells)
    assert rewrite_ipynb(read.cells, read).text == text


OUTPUTS: tuple[Output, ...] = (
    StreamOutput(index=0, stream="stdout", text="one\ntwo\n"),
    DisplayOutput(index=1, data={"image/png": "aGk=", "text/plain": "<Figure>\nx"}, metadata={"w": 1}),
    ResultOutput(index=2, data={"application/json": {"a": [1]}, "text/html": "<b>"}, metadata={}, execution_count=3),
    ErrorOutput(index=3, ename="E", evalue="v", traceback=("a", "b")),
)


def test_a_new_ipynb_is_valid_and_runs_sql_elsewhere() -> None:
    outputs = {"k3f9a2": OUTPUTS}
    text = rewrite_ipynb(CELLS, IpynbText(), outputs=outputs, settings=Settings(lazy=True)).text
    notebook = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "tailrace"
    assert notebook.cells[1].source == ("%%sql pg orders <<\n-- connection: pg  result: orders\nSELECT *\n\nFROM t")
    assert notebook.cells[0].execution_count == 3
    read = read_ipynb(text)
    assert read.outputs == outputs
    assert read.settings == Settings(lazy=True)
    jupyter: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    assert jupyter + "\n" == text


def test_every_setting_comes_back_from_an_ipynb() -> None:
    others = Settings(auto_run=False, lazy=True, cutoff=True, frames="polars", early_queries=False)
    assert all(value != default for value, default in zip(astuple(others), astuple(Settings()), strict=True))
    text = rewrite_ipynb(CELLS, IpynbText(), settings=others).text
    assert read_ipynb(text).settings == others
    assert rewrite_ipynb(CELLS, read_ipynb(text), settings=Settings()).text == rewrite_ipynb(CELLS, IpynbText()).text


@pytest.mark.parametrize(("key", "value"), [("frames", "abacus"), ("frames", True), ("lazy", 1), ("lazy", "yes")])
def test_a_setting_without_meaning_is_as_if_it_were_not_there(key: str, value: object) -> None:
    tree = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"tailrace": {key: value}}, "cells": []}
    assert read_ipynb(json.dumps(tree)).settings == Settings()


def test_a_file_keeps_no_reference_to_rows_in_a_kernel() -> None:
    table = {"text/html": "<table>", TABLE_MIME: {"token": "t", "rows": 1, "columns": 1}}
    outputs = {"k3f9a2": (ResultOutput(index=0, data=table, metadata={}),)}
    read = read_ipynb(rewrite_ipynb(CELLS, IpynbText(), outputs=outputs).text)
    assert read.outputs["k3f9a2"] == (ResultOutput(index=0, data={"text/html": "<table>"}, metadata={}),)


def test_a_foreign_ipynb_changes_only_where_its_author_did() -> None:
    tree: dict[str, Any] = {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": {"colab": {"name": "é"}, "kernelspec": {"name": "python3", "display_name": "P"}},
        "cells": [
            {"cell_type": "markdown", "source": "one\ntwo", "metadata": {}, "attachments": {"a.png": {}}},
            {
                "metadata": {"tags": ["t"]},
                "cell_type": "code",
                "source": ["x = 1"],
                "outputs": [],
                "execution_count": 5,
            },
            {"cell_type": "code", "source": ["%%sql pg r <<\n", "SELECT 1"], "metadata": {}, "outputs": []},
            {"cell_type": "raw", "source": ["raw"], "metadata": {}},
        ],
    }
    styles: list[dict[str, Any]] = [{"indent": 2}, {"indent": 1, "ensure_ascii": False}, {"indent": "\t"}, {}]
    for style in styles:
        text = json.dumps(tree, **style)
        read = read_ipynb(text)
        assert [cell.type for cell in read.cells] == ["markdown", "python", "sql", "markdown"]
        assert rewrite_ipynb(read.cells, read).text == text
        edited = [replace(cell, code="x = 2") if cell.code == "x = 1" else cell for cell in read.cells]
        after: dict[str, Any] = json.loads(rewrite_ipynb(edited, read).text)
        assert list(after) == list(tree)
        assert after["metadata"] == tree["metadata"]
        for old, new in zip(tree["cells"], after["cells"], strict=True):
            assert new.pop("id")
            assert new == (old | {"source": ["x = 2"]} if old["source"] == ["x = 1"] else old)
        assert same_cells(read_ipynb(rewrite_ipynb(edited, read).text).cells, edited)


def test_an_old_ipynb_is_upgraded() -> None:
    sheet = {"cells": [{"cell_type": "code", "language": "python", "input": "x = 1", "outputs": [], "metadata": {}}]}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [sheet]}
    read = read_ipynb(json.dumps(old))
    assert [cell.code for cell in read.cells] == ["x = 1"]


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("a.py", b"\xff\xfe", "UTF-8"),
        ("a.ipynb", b"{", "not valid JSON"),
        ("a.ipynb", b"[]", "nbformat is missing"),
        ("a.ipynb", b'{"nbformat": 4, "cells": 3}', "list of objects"),
        ("a.ipynb", b'{"nbformat": 4, "cells": [{"source": "\\ud800", "cell_type": "code"}]}', "surrogates"),
        ("a.ipynb", b"[" * 200_000, "not valid JSON|nested too deeply"),
        ("a.py", b"# -*- coding: latin-1 -*-\n", "utf-8"),
    ],
)
def test_unreadable_files_say_what_to_do(tmp_path: Path, name: str, raw: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(TailraceError, match=says) as refused:
        NotebookFile(path).read()
    assert refused.value.code == ErrorCode.UNREADABLE_NOTEBOOK
    assert "then open it again" in refused.value.message
    assert path.read_bytes() == raw


def test_a_cell_with_the_limit_is_read_and_beyond_it_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("#" * MAX_CODE + "\n")
    assert len(NotebookFile(path).read().cells[0].code) == MAX_CODE
    path.write_text("#" * (MAX_CODE + 1) + "\n")
    with pytest.raises(TailraceError) as refused:
        NotebookFile(path).read()
    assert refused.value.code == ErrorCode.TOO_LARGE


def test_too_many_cells_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("# %%\n" * (MAX_CELLS + 1))
    with pytest.raises(TailraceError) as refused:
        NotebookFile(path).read()
    assert refused.value.code == ErrorCode.TOO_MANY


def test_what_is_no_notebook_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TailraceError) as refused:
        NotebookFile(tmp_path / "a.txt")
    assert refused.value.code == ErrorCode.UNREADABLE_NOTEBOOK
    with pytest.raises(TailraceError) as missing:
        NotebookFile(tmp_path / "a.py").read()
    assert missing.value.code == ErrorCode.NOT_FOUND
    os.mkfifo(tmp_path / "fifo.py")
    with pytest.raises(TailraceError, match="not a regular file"):
        NotebookFile(tmp_path / "fifo.py").read()


@pytest.mark.parametrize("raw", [b"", b"\n", b"# just a comment\n", b"\xef\xbb\xbfx = 1\r\n", b"x = 1"])
def test_opening_writes_nothing(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "a.py"
    path.write_bytes(raw)
    before = path.stat()
    file = NotebookFile(path)
    contents = file.read()
    assert len(contents.cells) == 1
    assert file.write(contents.cells) == Written(file.file_hash or "", changed=False)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    assert path.read_bytes() == raw
    changed = [replace(contents.cells[0], code="y = 2")]
    written = file.write(changed)
    assert isinstance(written, Written)
    assert written.changed
    assert same_cells(NotebookFile(path).read().cells, changed)


def test_line_ends_and_mark_of_a_foreign_file_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_bytes("\ufeff# %%\r\nx = 1\r\n\r\n# %%\r\ny = 2\r\n".encode())
    file = NotebookFile(path)
    one, two = file.read().cells
    assert (one.code, two.code) == ("x = 1", "y = 2")
    file.write([one, replace(two, code="y = 3\nz")])
    expected = f'\ufeff# %%\r\nx = 1\r\n\r\n# %% id="{two.id}"\r\ny = 3\r\nz\r\n'
    assert path.read_bytes() == expected.encode()


def test_a_write_replaces_the_whole_file_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("# %%\nx = 1\n")
    path.chmod(0o640)
    link = tmp_path / "link.py"
    link.symlink_to(path)
    file = NotebookFile(link)
    (cell,) = file.read().cells
    old = path.open("rb")  # a reader in the middle of the old file
    with old:
        inode = path.stat().st_ino
        assert isinstance(file.write([replace(cell, code="x = 2")]), Written)
        assert old.read() == b"# %%\nx = 1\n"
    assert path.stat().st_ino != inode
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert [entry.name for entry in sorted(tmp_path.iterdir())] == ["a.py", "link.py"]


def test_a_new_file_is_made_by_the_first_write(tmp_path: Path) -> None:
    for name in ("a.py", "a.ipynb"):
        file = NotebookFile(tmp_path / name)
        assert isinstance(file.write(CELLS), Written)
        assert same_cells(NotebookFile(tmp_path / name).read().cells, CELLS)
    assert (tmp_path / "a.py").read_text() == OURS


def test_an_outside_edit_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("# %%\nx = 1\n")
    file = NotebookFile(path)
    (cell,) = file.read().cells
    assert file.poll() is None
    path.touch()
    assert file.poll() is None
    path.write_text("# %%\nx = 9\n")
    mine = [replace(cell, code="x = 2")]
    changed = file.write(mine)
    assert isinstance(changed, ChangedOnDisk)
    assert changed == file.poll()
    assert changed.contents is not None
    assert changed.contents.cells[0].code == "x = 9"
    assert path.read_text() == "# %%\nx = 9\n"
    file.accept(changed)
    assert file.poll() is None
    assert isinstance(file.write(mine), Written)
    assert file.poll() is None
    assert "x = 2" in path.read_text()


def test_a_deleted_or_broken_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("# %%\nx = 1\n")
    file = NotebookFile(path)
    cells = file.read().cells
    path.unlink()
    gone = file.write(cells)
    assert gone == ChangedOnDisk(None, None)
    path.write_bytes(b"\xff")
    broken = file.poll()
    assert isinstance(broken, ChangedOnDisk)
    assert broken.contents is None
    assert broken.file_hash is not None
    path.unlink()
    assert isinstance(gone, ChangedOnDisk)
    file.accept(gone)
    assert isinstance(file.write(cells), Written)


def test_a_folder_that_takes_no_file_leaves_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".py")  # the temp file's name is longer than a name may be
    path.write_text("# %%\nx = 1\n")
    file = NotebookFile(path)
    (cell,) = file.read().cells
    with pytest.raises(TailraceError) as refused:
        file.write([replace(cell, code="x = 2")])
    assert refused.value.code == ErrorCode.READ_ONLY
    assert path.read_text() == "# %%\nx = 1\n"


def test_reading_and_writing_run_no_code(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    code = f"import pathlib\npathlib.Path({str(trap)!r}).touch()"
    path = tmp_path / "a.py"
    path.write_text(f"# %% x=__import__('pathlib').Path({str(trap)!r}).touch()\n{code}\n")
    file = NotebookFile(path)
    (cell,) = file.read().cells
    assert cell.code == code
    file.write([replace(cell, code=code + "\n")])
    assert not trap.exists()
    exec(compile(code, "positive control", "exec"), {})
    assert trap.exists()
