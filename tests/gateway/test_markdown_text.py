"""Notebooks as Markdown: what is written reads back, and other people's Markdown becomes cells."""

from hypothesis import given
from hypothesis import strategies as st

from tailrace_gateway.markdown_text import percent_of, read_markdown, write_markdown
from tailrace_gateway.percent import read_percent
from tailrace_gateway.records import StoredCell
from tailrace_protocol.objects import CellType, ErrorOutput, ResultOutput, StreamOutput

CODE = st.text("ab`~#%\n \\'\"", max_size=60)


def pairs(cells: tuple[StoredCell, ...]) -> list[tuple[CellType, str]]:
    return [(cell.type, cell.code) for cell in cells]


@given(st.lists(st.tuples(st.sampled_from(["python", "sql"]), CODE), max_size=5))
def test_code_cells_read_back_whatever_they_hold(codes: list[tuple[CellType, str]]) -> None:
    cells = [StoredCell(id=f"c{n}", type=kind, code=code) for n, (kind, code) in enumerate(codes)]
    outputs = {cell.id: (StreamOutput(index=0, stream="stdout", text=f"{cell.code}\n"),) for cell in cells}
    assert pairs(read_markdown(write_markdown(cells, outputs))) == codes


def test_text_code_and_foreign_fences() -> None:
    text = "# Title\n\n```bash\nls\n```\n\n```{python}\nx = 1\n```\n\n~~~ sql\nSELECT 1\n~~~\n\nend\n\n```python\nopen"
    assert pairs(read_markdown(text)) == [
        ("markdown", "# Title\n\n```bash\nls\n```"),
        ("python", "x = 1"),
        ("sql", "SELECT 1"),
        ("markdown", "end"),
        ("python", "open"),
    ]


def test_outputs_are_written_in_plain_words() -> None:
    cell = StoredCell(id="a", type="python", code="x")
    outputs = (
        StreamOutput(index=0, stream="stdout", text="\x1b[31mred\x1b[0m\n"),
        ResultOutput(index=1, data={"image/png": "AAAA"}, metadata={}),
        ErrorOutput(index=2, ename="ValueError", evalue="no", traceback=()),
    )
    assert "```output\nred\n[image/png]\nValueError: no\n```" in write_markdown([cell], {"a": outputs})


def test_an_imported_file_is_a_notebook_also_when_it_is_empty() -> None:
    assert pairs(read_percent(percent_of(b"Hi\n\n```python\nx = 1\n```\n").decode()).cells) == [
        ("markdown", "Hi"),
        ("python", "x = 1"),
    ]
    assert pairs(read_percent(percent_of(b"").decode()).cells) == [("python", "")]
