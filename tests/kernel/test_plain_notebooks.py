"""Small notebooks as people write them: names made by strings, star imports, handlers, functions that change objects."""

from collections.abc import Callable

from tests.kernel.dataflow import Notebook
from tests.kernel.histories import pictures, script


def notebook(*texts: str) -> Notebook:
    """Cells a, b, c … with these texts, run once."""
    nb = Notebook()
    nb.put_all({chr(97 + index): text for index, text in enumerate(texts)})
    nb.run(mode="all")
    return nb


def edited(nb: Notebook, cell: str, text: str) -> None:
    nb.put(cell, text)
    nb.run(cell)


def printed(nb: Notebook) -> list[str]:
    return [nb.output[cell].strip() for cell in nb.scheduler.order() if nb.output.get(cell)]


def as_script(nb: Notebook) -> None:
    """All is fresh, and equals the script."""
    plain = script([nb.code[cell] for cell in nb.scheduler.order()])
    assert plain is not None
    assert nb.all_fresh(), (nb.statuses(), nb.error)
    assert [nb.output[cell] for cell in nb.scheduler.order()] == plain[1]


def at_every_run(nb: Notebook, check: Callable[[Notebook], None] = as_script) -> None:
    """Now, after each cell was run once more, and after all were."""
    check(nb)
    for cell in nb.scheduler.order():
        nb.run(cell)
        check(nb)
    nb.run(mode="all")
    check(nb)


def test_names_that_only_exec_binds_reach_their_readers() -> None:
    nb = notebook("exec('q = 1')", "print(q)", "exec('q += 1')", "print(q)", "globals()['w'] = 5", "print(w)")
    assert printed(nb) == ["1", "2", "5"]
    at_every_run(nb)
    edited(nb, "a", "exec('q = 10')")
    edited(nb, "e", "globals()['w'] = 6")
    assert printed(nb) == ["10", "11", "6"]
    at_every_run(nb)


def test_exec_edited_away_gives_back_what_it_had_bound() -> None:
    nb = notebook("q = 1", "exec('q = 2')", "print(q)")
    assert printed(nb) == ["2"]
    edited(nb, "b", "pass")
    nb.run(mode="stale")
    assert printed(nb) == ["1"]
    as_script(nb)


def test_a_failure_above_fails_no_opaque_cell() -> None:
    nb = notebook("bad = 1 / 0", "x = 1", "exec('print(x)')", "good = bad")
    assert nb.statuses() == {"a": "error", "b": "success", "c": "success", "d": "error"}
    assert nb.output["c"] == "1\n"
    edited(nb, "a", "bad = 2")
    as_script(nb)


def test_a_star_import_keeps_names_below_it_from_being_bound_above() -> None:
    nb = notebook("from math import *", "print(floor(2.5))", "floor = 3", "print(floor)")
    assert printed(nb) == ["2", "3"]
    at_every_run(nb)
    edited(nb, "a", "from math import floor")
    at_every_run(nb)


def test_without_a_star_import_a_name_binds_below() -> None:
    nb = notebook("print(n)", "n = 3")
    assert printed(nb) == ["3"]
    nb.put("a", "from math import *\nprint(n)")
    nb.run("a")
    assert nb.error["a"] == "NameError: name 'n' is not defined"


HANDLER = "try: 1 / 0\nexcept ZeroDivisionError as e: pass"


def test_a_handler_that_ran_unbinds_its_name() -> None:
    nb = notebook("e = 5", HANDLER, "print(e)")
    assert nb.error["c"] == "NameError: name 'e' is not defined"
    nb.run("c")
    assert nb.error["c"] == "NameError: name 'e' is not defined"
    edited(nb, "b", HANDLER.replace("1 / 0", "1"))
    assert printed(nb) == ["5"]
    at_every_run(nb)
    edited(nb, "b", HANDLER)
    assert nb.error["c"] == "NameError: name 'e' is not defined"


def test_cells_with_handlers_are_no_chain() -> None:
    nb = notebook(HANDLER, HANDLER, HANDLER)
    assert nb.scheduler.edges() == []
    assert nb.run("a") == ["a"]
    assert "e" not in nb.user
    as_script(nb)
    assert pictures(nb.user) == {}
