"""Small notebooks as people write them: names made by strings, star imports, handlers, functions that change things."""

from collections.abc import Callable

from tests.kernel.dataflow import Notebook
from tests.kernel.plain_script import pictures, script


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


def test_a_function_that_changes_its_argument_no_more_gives_it_back() -> None:
    nb = notebook("def clean(d):\n  d.append(9)\n  return d", "raw = [1]", "c = clean(raw)", "print(raw, c)")
    assert printed(nb) == ["[1, 9] [1, 9]"]
    at_every_run(nb)
    edited(nb, "a", "def clean(d):\n  return d + [9]")
    assert printed(nb) == ["[1] [1, 9]"]
    at_every_run(nb)


def test_a_function_without_parameters_gives_back_too() -> None:
    nb = notebook("def f(): raw.append(9)", "raw = [1]", "f()", "print(raw)")
    edited(nb, "a", "def f(): pass")
    assert printed(nb) == ["[1]"]
    as_script(nb)


def test_counting_up_a_parameter_changes_no_argument() -> None:
    nb = notebook("def f(n):\n  n += 1\n  return n", "x = 1", "f(x)", "print(x)")
    assert {(e.from_, e.to) for e in nb.scheduler.edges()} == {("a", "c"), ("b", "c"), ("b", "d")}
    as_script(nb)


ACCOUNT = """class Account:
  def __init__(self): self.total = 0
  def add(self, n): self.total += n
  def deposit(self, n): self.add(n)
  def show(self): return self.total"""


def test_methods_of_the_notebooks_own_classes_change_their_object() -> None:
    nb = notebook(ACCOUNT, "acc = Account()", "acc.deposit(10)", "acc.add(20)", "print(acc.show())", "acc.show()")
    assert printed(nb) == ["30"]
    at_every_run(nb)
    edited(nb, "c", "acc.deposit(1)")
    assert printed(nb) == ["21"]
    at_every_run(nb)
    nb.remove("d")
    nb.run(mode="stale")
    assert printed(nb) == ["1"]
    assert ("f", "e") not in {(e.from_, e.to) for e in nb.scheduler.edges()}


def test_a_method_that_changes_its_argument_by_keyword() -> None:
    nb = notebook("class Box:\n  def fill(self, *, into): into.append(1)", "x = []", "Box().fill(into=x)\nprint(x)")
    at_every_run(nb)
    nb = notebook("class Box:\n  def fill(self, *, into): into.append(1)", "box = Box()", "x = []", "box.fill(into=x)")
    at_every_run(nb)
    nb.put("e", "print(x)")
    nb.run("d")
    nb.run(mode="stale")
    assert printed(nb) == ["[1]"]


def test_writing_to_a_file_object_is_a_change_of_it() -> None:
    nb = notebook("import io\nbuf = io.StringIO()", "n = buf.write('a')", "n = buf.write('b')", "print(buf.getvalue())")
    assert printed(nb) == ["ab"]
    at_every_run(nb)
    edited(nb, "b", "n = buf.write('z')")
    assert printed(nb) == ["zb"]


def test_drawing_changes_axes_and_no_frame() -> None:
    nb = Notebook()
    nb.put_all({"a": "ax, df = [], []", "b": "ax.plot(df)", "c": "df.plot()", "d": "print(ax, df)"})
    assert {(e.from_, e.to, e.names) for e in nb.scheduler.edges()} == {
        ("a", "b", ("ax", "df")),
        ("a", "c", ("df",)),
        ("a", "d", ("df",)),
        ("b", "d", ("ax",)),
    }


def test_a_method_handed_to_map_changes_its_object() -> None:
    nb = notebook("l = []", "list(map(l.append, [5, 6]))", "print(l)", "[l.append(i) for i in range(2)]", "print(l)")
    assert printed(nb) == ["[5, 6]", "[5, 6, 0, 1]"]
    at_every_run(nb)


def test_a_function_that_hands_its_argument_on_to_one_that_changes_it() -> None:
    nb = notebook(
        "def add(to, what):\n    to.append(what)",
        "def twice(items):\n    add(items, 1)\n    add(what=2, to=items)",
        "def more(rows):\n    return twice(rows)",
        "x = []",
        "print(x)",
        "more(x)",
        "print(x)",
    )
    assert printed(nb) == ["[]", "[1, 2]"]
    at_every_run(nb)
    edited(nb, "a", "def add(to, what):\n    return to")
    nb.run(mode="stale")
    assert printed(nb) == ["[]", "[]"]
    as_script(nb)


def test_functions_of_one_cell_that_hand_on_to_another_cell() -> None:
    nb = notebook(
        "def change(d): d['k'] = len(d)",
        "def inner(d): change(d)\ndef outer(d): inner(d)\nd = {}\nouter(d)\nprint(d)",
        "def last(d): outer(d)\ne = {'a': 1}",
        "print(e)",
        "last(e)",
        "print(e)",
    )
    at_every_run(nb)


def test_a_method_that_hands_on_what_it_is_given_and_itself() -> None:
    nb = notebook(
        "def put(box, item): box.items.append(item)\ndef sort(rows): rows.sort()",
        "class Box:\n    def __init__(self, rows):\n        self.items = []\n        sort(rows)\n"
        "    def add(self, item):\n        put(self, item)\n        return self",
        "rows = [3, 1]",
        "print(rows)",
        "box = Box(rows)",
        "print(rows, box.items)",
        "box.add(1)",
        "print(box.items)",
    )
    assert printed(nb) == ["[3, 1]", "[1, 3] []", "[1]"]
    at_every_run(nb)


def test_functions_that_hand_on_to_each_other_come_to_an_end() -> None:
    nb = notebook(
        "def a(x, n):\n    return b(x, n - 1) if n else x",
        "def b(y, n):\n    y.append(n)\n    return a(y, n)",
        "z = []",
        "print(z)",
        "a(z, 2)",
        "print(z)",
    )
    assert printed(nb) == ["[]", "[1, 0]"]
    at_every_run(nb)


def test_handing_on_a_copy_changes_nothing_above() -> None:
    nb = notebook("def add(to): to.append(1)", "def safe(items): add(list(items))", "x = []", "safe(x)", "print(x)")
    assert printed(nb) == ["[]"]
    at_every_run(nb)
    assert nb.scheduler.changes("d") == frozenset()


def test_a_view_of_an_array_shares_its_memory() -> None:
    nb = notebook(
        "import numpy as np",
        "a = np.arange(6)",
        "m = a.reshape(2, 3)\nt = m.T",
        "print(int(t.sum()))",
        "a[0] = 100",
        "print(int(t.sum()), int(m[0, 0]))",
        "m[1, 1] = 50",
        "print(a.tolist(), int(t.sum()))",
    )
    assert printed(nb) == ["15", "115 100", "[100, 1, 2, 3, 50, 5] 161"]
    at_every_run(nb)
    edited(nb, "g", "m[1, 1] = 51")
    as_script(nb)


def test_readers_above_an_edited_change_run_with_what_is_made_again() -> None:
    nb = notebook("x = {1}", "y = x", "print(sorted(y))", "x.add(2)", "print(sorted(y))")
    edited(nb, "d", "x.add(3)")
    assert printed(nb) == ["[1]", "[1, 3]"]
    as_script(nb)


def test_an_edited_writer_above_is_not_run_by_a_change_below() -> None:
    nb = notebook("n = 1", "x = {n}", "y = (x, n)", "print(y[1])", "x.add(2)")
    nb.put("a", "n = 5")
    edited(nb, "e", "x.add(3)")
    assert nb.status("a") == "stale"
    assert nb.status("d") == "stale"
    assert "a" not in nb.runs[5:]


def test_an_inner_function_changes_its_outer_functions_argument() -> None:
    nb = notebook(
        "def outer(x):\n    def inner(): x.append(1)\n    inner()",
        "def loop(x):\n    for add in [lambda: x.append(2)]:\n        add()",
        "y = []",
        "print(y)",
        "outer(y)",
        "print(y)",
        "loop(y)",
        "print(y)",
    )
    assert printed(nb) == ["[]", "[1]", "[1, 2]"]
    at_every_run(nb)


def test_arguments_gathered_by_stars() -> None:
    nb = notebook(
        "def some(first, *rest, **named):\n    rest[0].append(first)\n    named['last'].append(first)",
        "def both(*a, **k): some(*a, **k)",
        "x = []; y = []; z = []; args = (3, z)",
        "print(x, y, z)",
        "some(1, x, last=y)",
        "print(x, y, z)",
        "some(*args, last=[])",
        "print(x, y, z)",
    )
    assert printed(nb) == ["[] [] []", "[1] [1] []", "[1] [1] [3]"]
    at_every_run(nb)


def test_a_star_takes_what_is_left_and_no_more() -> None:
    nb = notebook("def f(a, *rest): rest[0].append(a)", "x = []; y = []", "f(x, y)", "print(x, y)")
    assert nb.scheduler.changes("c") == {"y"}
    at_every_run(nb)


def test_a_bound_method_under_a_name_of_its_own() -> None:
    nb = notebook(
        "from functools import partial\nx = []\nadd = x.append\nfive = partial(x.append, 5)",
        "print(x)",
        "add(1)",
        "print(x)",
        "five()",
        "print(x)",
    )
    assert printed(nb) == ["[]", "[1]", "[1, 5]"]
    at_every_run(nb)


def test_functions_that_change_what_they_are_given() -> None:
    nb = notebook(
        "import contextlib, io, operator\nx = [1]\nbuf = io.StringIO()",
        "print(x, buf.getvalue())",
        "operator.iadd(x, [2])",
        "print('a', file=buf, end='')",
        "with contextlib.redirect_stdout(buf): print('b', end='')",
        "print(x, buf.getvalue())",
    )
    assert printed(nb) == ["[1]", "[1, 2] ab"]
    at_every_run(nb)
