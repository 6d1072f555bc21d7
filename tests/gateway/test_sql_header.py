"""The header line of SQL cells: read as the kernel reads it, edited in place."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailrace_gateway.sql_header import edit_header, parse_header
from tailrace_kernel.sql_cell import DEFAULT_CONNECTION, analyze_sql_cell

CODES = [
    "",
    "SELECT 1",
    "-- a comment\nSELECT 1",
    "-- connection: pg\nSELECT 1",
    "--connection:pg result:r\nSELECT 1",
    "\n\n  -- result: r\nSELECT 1",
    "-- connection: pg  result: orders  write: yes\nSELECT 1",
    "-- connection: pg and more\nSELECT 1",
    "%%sql\nSELECT 1",
    "%%sql pg\nSELECT 1",
    "%%sql pg orders <<\nSELECT 1",
    "%%sql orders <<\nSELECT 1",
    "%%sql orders << SELECT 1",
    "%%sql <<\nSELECT 1",
    "%%sql SELECT 1",
    "%%sqlite\nSELECT 1",
]


@pytest.mark.parametrize("code", CODES)
def test_the_kernel_reads_the_same_names(code: str) -> None:
    header = parse_header(code)
    cell = analyze_sql_cell(code)
    assert (header.connection if header else None) == (
        None if cell.connection == DEFAULT_CONNECTION and not (header and header.connection) else cell.connection
    )
    assert (header.result if header else None) == cell.result


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("SELECT 1", "-- connection: new  result: res\nSELECT 1"),
        ("-- connection: pg\nSELECT 1", "-- connection: new  result: res\nSELECT 1"),
        ("--result:r   write: yes\nSELECT 1", "--result:res   write: yes  connection: new\nSELECT 1"),
        ("%%sql\nSELECT 1", "%%sql new res <<\nSELECT 1"),
        ("%%sql pg r <<\nSELECT 1", "%%sql new res <<\nSELECT 1"),
        ("%%sql SELECT 1", "%%sql new res <<\nSELECT 1"),
        ("%%sql r << SELECT 1\nFROM t", "%%sql new res <<\nSELECT 1\nFROM t"),
    ],
)
def test_edit(code: str, want: str) -> None:
    assert edit_header(code, connection="new", result="res") == want


@given(st.sampled_from(CODES), st.none() | st.sampled_from(["a", "b_2"]), st.none() | st.sampled_from(["r", "s"]))
@settings(max_examples=100, deadline=None)
def test_an_edit_changes_the_names_and_not_the_statement(code: str, connection: str | None, result: str | None) -> None:
    before, after = analyze_sql_cell(code), analyze_sql_cell(edit_header(code, connection=connection, result=result))
    assert after.statement.strip() == before.statement.strip()
    assert after.connection == (connection or before.connection)
    assert after.result == (result or before.result)
    if connection is None and result is None:
        assert edit_header(code) == code
