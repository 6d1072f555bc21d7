"""`tailrace run` on real kernels: what it prints, writes and exits with."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

from tailrace_cli import parameters
from tailrace_cli.main import main
from tailrace_cli.probe_client import Message
from tailrace_cli.refusal import RefusedError
from tailrace_cli.run_record import RunRecord
from tailrace_cli.run_view import RunView, overwritten
from tailrace_gateway.records import StoredCell
from tests.cli.invocation import ROOT, tailrace

GOOD = """\
# %% [markdown] id="words"
# # Title

# %% id="a"
x = 5

# %% id="b"
y = x + 1
print("y is", y)

# %% id="c"
y * 7

# %% id="d"
print(open("beside.txt").read())
"""
BAD = """\
# %% id="a"
a = 5

# %% id="broken"
b = a / 0

# %% id="after"
c = b + 1

# %% id="p"
p = q

# %% id="q"
q = p

# %% id="free"
print("still run")
"""


def notebook(folder: Path, text: str) -> Path:
    path = folder / "nb.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_good_notebook_prints_each_result_and_writes_them(tmp_path: Path) -> None:
    (tmp_path / "beside.txt").write_text("seen from the notebook's own folder")
    path, out = notebook(tmp_path, GOOD), tmp_path / "out.ipynb"
    ended = tailrace("run", path, "-o", out)
    assert ended.code == 0, ended
    assert "y is 6\n" in ended.out
    assert "\n42\n" in ended.out
    assert "seen from" in ended.out
    assert ended.out.count("✓") == 4
    assert "4/4" in ended.err
    assert path.read_text() == GOOD
    assert sorted(file.name for file in tmp_path.iterdir()) == ["beside.txt", "nb.py", "out.ipynb"]
    written = nbformat.read(out, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(written)
    assert [cell.cell_type for cell in written.cells] == ["markdown", "code", "code", "code", "code"]
    assert written.cells[2].outputs[0].text == "y is 6\n"
    assert written.cells[3].outputs[0].data["text/plain"] == "42"
    said = json.loads(tailrace("run", out, "--json", "-p", "x=10").out)  # and it is a notebook that runs
    assert said["status"] == "success"
    assert [(cell["id"], cell["status"]) for cell in said["cells"]] == [
        (name, "success") for name in ("a", "parameter-x", "b", "c", "d")
    ]
    assert said["cells"][2]["outputs"] == [{"kind": "stream", "index": 0, "stream": "stdout", "text": "y is 11\n"}]
    assert said["cells"][3]["outputs"][0]["data"] == {"text/plain": "77"}


def test_a_failing_cell_is_named_and_exits_1_and_the_rest_still_runs(tmp_path: Path) -> None:
    ended = tailrace("run", notebook(tmp_path, BAD))
    assert ended.code == 1
    assert "Cell broken (b = a / 0) failed: ZeroDivisionError" in ended.err
    assert "Cell p (p = q) failed: blocked" in ended.err
    assert "Cell q (q = p) failed: blocked" in ended.err
    assert "1 other cell has no value" in ended.err
    assert "still run\n" in ended.out
    assert "ZeroDivisionError" in ended.out
    assert "tailrace_kernel" not in ended.out  # the traceback shows the user's frames only


def test_json_is_one_object_also_when_a_cell_fails(tmp_path: Path) -> None:
    ended = tailrace("run", notebook(tmp_path, BAD), "--json")
    said = json.loads(ended.out)
    assert (ended.code, said["status"]) == (1, "error")
    assert {cell["id"]: cell["status"] for cell in said["cells"]} == {
        "a": "success",
        "broken": "error",
        "after": "error",
        "p": "blocked",
        "q": "blocked",
        "free": "success",
    }
    assert said["cells"][1]["error"]["ename"] == "ZeroDivisionError"


CELLS = (
    StoredCell(id="a", type="python", code="n = 1"),
    StoredCell(id="b", type="python", code="print(n, free)"),
)


def test_parameter_cells_stand_below_the_first_writer_or_on_top() -> None:
    placed = parameters.with_parameters(CELLS, {"n": 5, "free": "x"})
    assert [(cell.id, cell.code) for cell in placed] == [
        ("parameter-free", "free = 'x'"),
        ("a", "n = 1"),
        ("parameter-n", "n = 5"),
        ("b", "print(n, free)"),
    ]
    assert parameters.with_parameters(CELLS, {}) == CELLS


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("n=5", 5),
        ("n=[1, 2]", [1, 2]),
        ("n=text", "text"),
        ("n='5'", "5"),
        ("n=", ""),
        ("n=a=b", "a=b"),
        ("n=None", None),
    ],
)
def test_values_are_literals_else_text(word: str, value: object) -> None:
    assert parameters.parse([word]) == {"n": value}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\n", "a\n"),
        ("a\r\nb", "a\nb"),
        (" 10%\r 20%\r 30%", " 30%"),
        (" 10%\r 100%\r\ndone\n", " 100%\ndone\n"),
        ("1\r", "1"),
        ("", ""),
    ],
)
def test_a_progress_bar_of_a_cell_is_one_line(text: str, shown: str) -> None:
    assert overwritten(text) == shown


def test_a_heading_begins_on_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    record = RunRecord([StoredCell(id="a", type="python", code="1")])
    change = {"cell_id": "a", "status": "success", "version": 1, "seconds": 0.5}
    with RunView(record, {"a": "cell a"}, quiet=False) as view:
        for message in (
            Message("stream", {"name": "stdout", "text": "no line end"}, {"tailrace": {"cell_id": "a"}}, ""),
            Message("cell_status", {"changes": [change]}, {}, ""),
        ):
            record.take(message)
            view.show(message)
    assert capsys.readouterr().out == "── cell a\nno line end\n✓ cell a  0.50 s\n"


@pytest.mark.parametrize("word", ["n", "=5", "5=n", "class=1", "a b=1", "a.b=1"])
def test_a_parameter_needs_a_name(word: str) -> None:
    with pytest.raises(RefusedError, match="NAME=VALUE"):
        parameters.parse([word])
    assert parameters.parse(["n=1"]) == {"n": 1}


def test_a_run_that_takes_too_long_is_stopped_and_names_the_cell(tmp_path: Path) -> None:
    path = notebook(tmp_path, '# %% id="quick"\nx = 1\n\n# %% id="slow"\nimport time\ntime.sleep(60)\n')
    ended = tailrace("run", path, "--timeout", "1", seconds=40)
    assert ended.code == 1
    assert "stopped after 1 s" in ended.err
    assert "Cell slow (import time) was interrupted before it ended" in ended.err
    assert "KeyboardInterrupt" not in ended.err
    assert "✓ quick" in ended.out


KILLER = """\
# %% id="a"
x = 1

# %% id="killer"
import os, time
time.sleep(0.3)
os._exit(7)
"""


def test_a_cell_that_kills_the_kernel_is_named(tmp_path: Path) -> None:
    ended = tailrace("run", notebook(tmp_path, KILLER), seconds=40)
    assert ended.code == 1
    assert "kernel ended by itself" in ended.err
    assert "Running was: killer" in ended.err
    assert "Traceback" not in ended.err


def test_ctrl_c_stops_the_run_and_leaves_no_kernel(tmp_path: Path) -> None:
    path = notebook(tmp_path, '# %% id="slow"\nprint("begun", flush=True)\nimport time\ntime.sleep(60)\n')
    command = [sys.executable, "-u", "-m", "tailrace_cli", "run", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any("begun" in line for line in process.stdout)
        kernels = psutil.Process(process.pid).children()
        assert kernels
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(timeout=30) == 1
    assert "interrupted" in said
    assert psutil.wait_procs(kernels, timeout=10)[1] == []


def test_outputs_that_cannot_be_written_are_refused_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = notebook(tmp_path, f'# %% id="a"\nopen({str(tmp_path / "ran")!r}, "w").close()\n')

    def sentence(*words: str | Path) -> str:
        assert main(["run", str(path), *map(str, words)]) == 2
        return capsys.readouterr().err

    assert ".ipynb" in sentence("-o", tmp_path / "out.py")
    assert "no folder" in sentence("-o", tmp_path / "nope" / "out.ipynb")
    assert "above 0" in sentence("--timeout", "0")
    assert "no cell" in sentence("-p", "nope=1").lower()
    assert "NAME=VALUE" in sentence("-p", "1x=1")
    assert not (tmp_path / "ran").exists()
    assert main(["run", str(path)]) == 0
    assert (tmp_path / "ran").exists()


def test_an_empty_notebook_is_done_at_once(tmp_path: Path) -> None:
    assert tailrace("run", notebook(tmp_path, '# %% [markdown] id="w"\n# only words\n')).code == 0
