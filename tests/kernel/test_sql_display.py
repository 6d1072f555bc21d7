import pyarrow as pa

from tailrace_kernel.sql.display import SqlDisplay
from tailrace_kernel.sql.grid import Grid
from tailrace_kernel.sql.result import SqlLimits, StatementOutcome

LIMITS = SqlLimits(shown_rows=3, cell_characters=10)


def grid(complete: bool = True, **columns: list[object]) -> Grid:
    table = pa.table(columns)
    return Grid(table, tuple(str(kind) for kind in table.schema.types), {}, complete)


def test_a_table_shows_names_types_values_and_its_size() -> None:
    shown = SqlDisplay.of(grid(n=[1, None], s=["x", "y"]), "orders", (), LIMITS)
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}
    assert '<th class="n">n<small>int64</small></th>' in bundle["text/html"]
    assert '<td class="null">NULL</td>' in bundle["text/html"]
    assert bundle["text/plain"] == "n     s\n1     x\nNULL  y\n2 rows × 2 columns in orders"
    assert repr(shown) == bundle["text/plain"]


def test_what_comes_from_a_database_is_text_in_html() -> None:
    table = pa.table({"<b>": ["<script>1</script>"]})
    shown = SqlDisplay.of(Grid(table, ("text",)), None, (), SqlLimits())
    assert "<script>" not in shown.html
    assert "&lt;script&gt;1&lt;/script&gt;" in shown.html
    assert "<th>&lt;b&gt;<small>" in shown.html


def test_what_is_shown_is_bounded() -> None:
    table = pa.table({f"c{index}": ["y" * 100] * 50 for index in range(300)})
    shown = SqlDisplay.of(Grid(table, ("text",) * 300), None, (), LIMITS)
    assert shown.html.count("<tr>") == 1 + 3
    assert shown.html.count("<th>") == 100
    assert "yyyyyyyyy…" in shown.html
    assert "y" * 11 not in shown.html
    assert shown.text.endswith("50 rows × 300 columns, first 3 shown")


def test_a_cut_result_says_how_to_keep_all() -> None:
    shown = SqlDisplay.of(grid(complete=False, n=[1, 2, 3, 4]), None, (), LIMITS)
    assert "more than 4 rows × 1 column, first 3 shown; give the result a name" in shown.text


def test_counts_of_changes_stand_above_the_table() -> None:
    outcomes = (StatementOutcome("insert", 1, 1, 0.1), StatementOutcome("select", 1, 2, 0.1))
    assert SqlDisplay.of(grid(n=[1]), None, outcomes, LIMITS).text.startswith("INSERT: 1 row\nn\n1\n")
    assert SqlDisplay.of(None, None, outcomes[:1], LIMITS).text == "INSERT: 1 row"
    assert SqlDisplay.of(None, None, (), LIMITS).text == "done"
