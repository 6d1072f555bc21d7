"""`tailrace graph` and `check` against notebooks whose graph is written out by hand; neither runs any code."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tailrace_cli.main import main
from tests.cli.invocation import ROOT, refused, tailrace

CHAIN = """\
# %% [markdown] id="words"
# # Three cells

# %% id="a"
x = 5

# %% id="b"
y = x + 1

# %% id="c"
print(x, y)
"""


def notebook(folder: Path, text: str, name: str = "nb.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def graph(capsys: pytest.CaptureFixture[str], path: Path, form: str = "--json") -> str:
    assert main(["graph", str(path), form]) == 0
    return capsys.readouterr().out


def test_json_is_exactly_what_the_contract_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(graph(capsys, notebook(tmp_path, CHAIN))) == {
        "cells": [
            {"id": "words", "type": "markdown", "reads": [], "writes": [], "diagnostics": []},
            {"id": "a", "type": "python", "reads": [], "writes": ["x"], "diagnostics": []},
            {"id": "b", "type": "python", "reads": ["x"], "writes": ["y"], "diagnostics": []},
            {"id": "c", "type": "python", "reads": ["x", "y"], "writes": [], "diagnostics": []},
        ],
        "edges": [
            {"from": "a", "to": "b", "names": ["x"]},
            {"from": "a", "to": "c", "names": ["x"]},
            {"from": "b", "to": "c", "names": ["y"]},
        ],
        "cycles": [],
    }


def test_names_are_sorted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '# %% id="a"\nzeta = beta = 1\n\n# %% id="b"\ngamma = zeta + beta\n'
    found = json.loads(graph(capsys, notebook(tmp_path, text)))
    assert found["cells"][0]["writes"] == ["beta", "zeta"]
    assert found["cells"][1]["reads"] == ["beta", "zeta"]
    assert found["edges"] == [{"from": "a", "to": "b", "names": ["beta", "zeta"]}]


def test_a_cycle_is_named_and_the_rest_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '# %% id="a"\nx = y + 1\n\n# %% id="b"\ny = x + 1\n\n# %% id="free"\nz = 1\n'
    found = json.loads(graph(capsys, notebook(tmp_path, text)))
    assert [sorted(cycle) for cycle in found["cycles"]] == [["a", "b"]]
    assert {(edge["from"], edge["to"]) for edge in found["edges"]} == {("a", "b"), ("b", "a")}


def test_an_order_only_edge_is_not_invented_and_a_change_in_place_orders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '# %% id="a"\nd = {}\n\n# %% id="b"\nd["k"] = 1\n\n# %% id="c"\nprint(d)\n'
    found = json.loads(graph(capsys, notebook(tmp_path, text)))
    assert {"from": "a", "to": "b", "names": ["d"]} in found["edges"]
    assert {"from": "b", "to": "c", "names": ["d"]} in found["edges"]
    assert not any((edge["from"], edge["to"]) == ("a", "c") for edge in found["edges"])


def test_sql_reads_frames_and_parameters_and_gives_its_result(capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(graph(capsys, ROOT / "examples" / "stocks_sql.py"))
    edges = {(edge["from"], edge["to"]): edge["names"] for edge in found["edges"]}
    assert edges["load", "growth"] == ["stocks"]
    assert edges["since", "growth"] == ["since"]
    assert "growth" in edges["growth", "winner"]
    assert edges["winner", "quarters"] == ["winner"]
    assert edges["quarters", "chart"] == ["quarters"]


def test_a_syntax_error_is_a_diagnostic_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '# %% id="a"\nok = 1\n\n# %% id="b"\nx = 1\ny = (\n'
    found = json.loads(graph(capsys, notebook(tmp_path, text)))
    assert found["cells"][0]["diagnostics"] == []
    [diagnostic] = found["cells"][1]["diagnostics"]
    assert (diagnostic["kind"], diagnostic["line"]) == ("syntax", 2)


def test_nothing_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace"
    code = f"open({str(trace)!r}, 'w').close()"
    path = notebook(tmp_path, f'# %% id="a"\n{code}\n!touch {trace}\n')
    graph(capsys, path)
    assert main(["check", str(path)]) == 0
    assert not trace.exists()
    exec(code)  # the control: had it run, it would have shown
    assert trace.exists()


def test_the_file_is_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = notebook(tmp_path, "# %%\nx = 1\n\n# %%\nprint(x)\n")
    first, before = graph(capsys, path), path.read_bytes()
    assert graph(capsys, path) == first  # ids of cells that have none are the same every time
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["nb.py"]


def test_jupyter_files_are_read_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def code(cell_id: str, source: str) -> dict[str, object]:
        return {
            "cell_type": "code",
            "id": cell_id,
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }

    cells = [code("a", "x = 5"), code("q", "%%sql r <<\nSELECT :x AS n"), code("b", "r")]
    text = json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    found = json.loads(graph(capsys, notebook(tmp_path, text, "nb.ipynb")))
    assert [cell["type"] for cell in found["cells"]] == ["python", "sql", "python"]
    assert {(edge["from"], edge["to"]) for edge in found["edges"]} == {("a", "q"), ("q", "b")}


def test_dot_and_mermaid_quote_what_the_user_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = notebook(tmp_path, '# %% id="a"\nx = "<b>\\"quoted\\"</b>"\n\n# %% id="b"\nprint(x)\n')
    dot = graph(capsys, path, "--dot")
    assert '"a" -> "b" [label="x"];' in dot
    assert dot.count('\\"') >= 2
    mermaid = graph(capsys, path, "--mermaid")
    assert 'c0 -->|"x"| c1' in mermaid
    assert "&lt;b&gt;" in mermaid
    assert "<b>" not in mermaid


def test_text_is_the_default_and_names_who_gives_what(tmp_path: Path) -> None:
    ended = tailrace("graph", notebook(tmp_path, CHAIN))
    assert (ended.code, ended.err) == (0, "")
    assert "  reads x from a" in ended.out
    assert "words" not in ended.out  # markdown is no part of the graph


BAD = {
    "missing": ("nope.py", None),
    "other kind of file": ("notes.txt", "hello"),
    "not JSON": ("broken.ipynb", "{"),
    "JSON, no notebook": ("other.ipynb", "[]"),
    "not text": ("binary.py", b"\xff\xfe\x00\x01"),
}


@pytest.mark.parametrize(("name", "content"), BAD.values(), ids=list(BAD))
@pytest.mark.parametrize("command", ["graph", "check", "run"])
def test_bad_input_is_one_sentence_and_exit_2(
    command: str, name: str, content: str | bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main([command, str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("tailrace: ")
    assert said.err.count("\n") == 1
    assert name in said.err


def test_a_folder_is_no_notebook(tmp_path: Path) -> None:
    assert "is a folder" in refused(tailrace("graph", tmp_path))


def test_wrong_arguments_are_one_sentence_too() -> None:
    assert "NOTEBOOK" in refused(tailrace("graph"))
    assert "not allowed with" in refused(tailrace("graph", "x.py", "--json", "--dot"))
    assert "invalid choice" in refused(tailrace("grpah"))


def test_check_finds_syntax_errors_and_cycles_and_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = notebook(tmp_path, '# %% id="a"\nx = y\n\n# %% id="b"\ny = x\n\n# %% id="c"\nif:\n', "bad.py")
    good = notebook(tmp_path, CHAIN, "good.py")
    assert main(["check", str(good), str(bad), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert {(each["cell"], each["kind"]) for each in found} >= {("c", "syntax")}
    assert any(each["kind"] == "cycle" for each in found)
    assert {each["notebook"] for each in found} == {str(bad)}
    assert main(["check", str(good)]) == 0
    assert capsys.readouterr().out == "Nothing found.\n"


def test_the_reader_of_the_output_may_leave_early(tmp_path: Path) -> None:
    path = notebook(tmp_path, "\n".join(f"# %%\nname_{number} = {number}\n" for number in range(3000)))
    command = [sys.executable, "-m", "tailrace_cli", "graph", str(path), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == 0
