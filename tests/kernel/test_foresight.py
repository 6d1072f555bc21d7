"""Which queries the machine lets begin beside the cell that runs: those that nothing in front of them feeds."""

from tailrace_kernel.sql_cell import analyze_sql_cell
from tests.kernel.dataflow import Notebook

ASK = "-- result: found\nSELECT 1 AS n"
OUTSIDE = "-- connection: pg\nSELECT n FROM shop.orders"


def sql(notebook: Notebook, cell: str, code: str, **more: object) -> None:
    notebook.put(cell, code, analyze_sql_cell(code).analysis, cell_type="sql", **more)


def early(notebook: Notebook) -> list[str]:
    """What may begin beside the cell that is due."""
    assert notebook.waiting is not None
    return [query.cell_id for query in notebook.waiting.early]


def test_a_query_may_begin_beside_python() -> None:
    notebook = Notebook()
    notebook.put("slow", "a = 1")
    sql(notebook, "ask", ASK)
    notebook.request(mode="all")
    assert early(notebook) == ["ask"]
    notebook.finish()
    assert early(notebook) == []  # it is its turn
    notebook.finish_all()
    assert notebook.runs == ["slow", "ask"]


def test_a_query_waits_for_what_it_reads() -> None:
    notebook = Notebook()
    notebook.put("limit", "least = 1")
    notebook.put("other", "b = 2")
    sql(notebook, "ask", "SELECT n FROM range(9) AS r(n) WHERE n > :least")
    notebook.request(mode="all")
    assert early(notebook) == []
    notebook.finish()
    assert early(notebook) == ["ask"]


def test_nothing_passes_a_cell_that_does_more_than_ask() -> None:
    notebook = Notebook()
    notebook.put("slow", "a = 1")
    sql(notebook, "make", "CREATE OR REPLACE TABLE t AS SELECT 1 AS n")
    sql(notebook, "ask", ASK)
    notebook.request(mode="all")
    assert early(notebook) == []
    notebook.finish()
    assert early(notebook) == []  # while it runs too
    notebook.put("slower", "b = 1")
    notebook.finish_all()
    notebook.order("slow", "make", "slower", "ask")
    notebook.request("slower", "ask")
    assert early(notebook) == ["ask"]


def test_a_query_outside_begins_beside_queries_only() -> None:
    notebook = Notebook()
    sql(notebook, "first", OUTSIDE)
    sql(notebook, "second", OUTSIDE)
    notebook.put("python", "a = 1")
    sql(notebook, "third", OUTSIDE)
    sql(notebook, "ours", ASK)
    notebook.request(mode="all")
    assert early(notebook) == ["second", "ours"]  # the Python cell may write to `pg`, and not to our own database
    notebook.finish()
    notebook.finish()
    assert early(notebook) == ["ours"]


def test_what_will_not_run_does_not_begin() -> None:
    notebook = Notebook()
    notebook.put("slow", "a = 1")
    sql(notebook, "off", ASK, mode="disabled")
    sql(notebook, "failed", "SELECT n FROM range(9) AS r(n) WHERE n > :missing")
    notebook.put("bad", "missing = 1 / 0")
    notebook.order("bad", "slow", "off", "failed")
    notebook.run(mode="all")
    assert notebook.status("failed") == "error"
    notebook.request("slow", "off", "failed")
    assert early(notebook) == []
    notebook.finish_all()
    sql(notebook, "fresh", ASK)
    notebook.run("fresh")
    notebook.request("slow")
    assert early(notebook) == []
