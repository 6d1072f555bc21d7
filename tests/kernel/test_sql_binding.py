from collections.abc import Mapping

import pytest

from tailrace_kernel.sql.binding import EMPTY_LIST, bind, needed
from tailrace_kernel.sql_parameters import scan
from tailrace_protocol.errors import ErrorCode, TailraceError

STYLES = {
    "dollar": ("SELECT $p1, $p2, $p1", {"p1": 1, "p2": "x"}),
    "named": ("SELECT :p1, :p2, :p1", {"p1": 1, "p2": "x"}),
    "pyformat": ("SELECT %(p1)s, %(p2)s, %(p1)s", {"p1": 1, "p2": "x"}),
    "format": ("SELECT %s, %s, %s", (1, "x", 1)),
    "qmark": ("SELECT ?, ?, ?", (1, "x", 1)),
    "numeric": ("SELECT :1, :2, :3", (1, "x", 1)),
    "numeric_dollar": ("SELECT $1, $2, $3", (1, "x", 1)),
}


def bound(
    sql: str, values: Mapping[str, object], style: str = "pyformat", dialect: str = "postgres"
) -> tuple[str, object]:
    made = bind(scan(sql, dialect), values, style, sqlglot_dialect=dialect, normalise=lambda value, _: value)
    return made.text, made.values


@pytest.mark.parametrize("style", STYLES)
def test_every_placeholder_style_of_pep_249(style: str) -> None:
    assert bound("SELECT :a, {b + 'x'}, :a", {"a": 1, "b + 'x'": "x"}, style) == STYLES[style]


def test_names_and_expressions_are_found_in_order() -> None:
    assert list(needed(scan("SELECT :a, {b+1}, ':c', x::int -- :d", "postgres"))) == ["a", "b+1"]


def test_a_bare_question_mark_is_refused() -> None:
    with pytest.raises(TailraceError) as caught:
        list(needed(scan("SELECT ?", "sqlite")))
    assert caught.value.code is ErrorCode.DB_PARAMETER


@pytest.mark.parametrize("sql", ["x IN :ids", "x IN (:ids)", "x in ( :ids )"])
def test_a_list_expands_after_in(sql: str) -> None:
    text, values = bound(sql, {"ids": [1, 2]})
    assert text.replace(" ", "").lower() == "xin(%(p1)s,%(p2)s)"
    assert values == {"p1": 1, "p2": 2}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("x IN :ids", "x = ANY ('{}')"),
        ("x NOT IN (:ids)", "x <> ALL ('{}')"),
    ],
)
def test_an_empty_list_gets_its_type_on_postgresql(sql: str, expected: str) -> None:
    assert bound(sql, {"ids": []}) == (expected, ())


def test_an_empty_list_holds_nothing_elsewhere() -> None:
    assert bound("x IN :ids", {"ids": []}, "named", "sqlite") == (f"x IN {EMPTY_LIST}", ())
    assert bound("x IN (:ids)", {"ids": []}, "named", "sqlite") == (f"x IN {EMPTY_LIST}", ())


def test_a_list_elsewhere_is_given_whole_or_refused() -> None:
    assert bound("x = ANY(:ids)", {"ids": [1]}) == ("x = ANY(%(p1)s)", {"p1": [1]})
    with pytest.raises(TailraceError, match="IN :ids"):
        bound("x = :ids", {"ids": [1]}, "named", "sqlite")


def test_percent_signs_are_doubled_only_where_a_driver_looks_for_them() -> None:
    assert bound("SELECT 5 % 3", {}) == ("SELECT 5 % 3", ())
    assert bound("SELECT 5 % :n", {"n": 3}) == ("SELECT 5 %% %(p1)s", {"p1": 3})
    assert bound("SELECT 5 % 3 WHERE 1 IN :e AND 'x' LIKE '%a'", {"e": []})[0].count("%") == 2
    assert bound("SELECT 5 % :n", {"n": 3}, "qmark", "sqlite") == ("SELECT 5 % ?", (3,))


def test_null_has_no_type_to_be_guessed_on_postgresql() -> None:
    assert bound("WHERE :x IS NULL OR id = :x", {"x": None}) == ("WHERE NULL IS NULL OR id = NULL", ())


def test_a_parameter_in_the_place_of_a_table_is_noticed() -> None:
    made = bind(
        scan("SELECT * FROM {t}", "duckdb"), {"t": "x"}, "dollar", sqlglot_dialect="duckdb", normalise=lambda v, _: v
    )
    assert made.at_table == "t"


def test_lines_stay_those_of_the_cell() -> None:
    text, _ = bound("SELECT {a +\n1},\nnope", {"a +\n1": 2})
    assert text.splitlines()[2] == "nope"


def test_values_are_not_in_the_representation() -> None:
    made = bind(
        scan("SELECT :a", "sqlite"), {"a": "canary"}, "named", sqlglot_dialect="sqlite", normalise=lambda v, _: v
    )
    assert "canary" in str(made.values)
    assert "canary" not in repr(made)
