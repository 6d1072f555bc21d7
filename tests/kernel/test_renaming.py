"""A variable gets another name in every cell that uses it, by scope and never by text; or a sentence says why not."""

from collections.abc import Mapping

import pytest

from tailrace_kernel.catalogue import Catalogue
from tailrace_kernel.ipython_syntax import to_python
from tailrace_kernel.renaming import RenameRefusedError, applied
from tailrace_protocol.kernel_messages import RegisterCellRequest


def catalogue(*codes: str) -> Catalogue:
    """Cells a, b, c …; a text that starts with `SQL:` or `MD:` is of that kind."""
    made = Catalogue(to_python)
    for cell_id, code in zip("abcdef", codes, strict=False):
        kind, text = ("sql", code[4:]) if code.startswith("SQL:") else ("python", code)
        if code.startswith("MD:"):
            kind, text = "markdown", code[3:]
        made.keep(made.analyse(RegisterCellRequest(cell_id=cell_id, cell_type=kind, code=text)))  # type: ignore[arg-type]
    return made


def renamed(*codes: str, name: str = "x", new: str = "price") -> list[str]:
    cells = catalogue(*codes)
    edits: Mapping[str, tuple[object, ...]] = cells.renaming(cells.entries, name, new).edits
    return [applied(entry.request.code, edits.get(cell_id, ())) for cell_id, entry in cells.entries.items()]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = 1\nx + x", "price = 1\nprice + price"),
        ("x = 1  # x\n'x'; y.x; f(x=x); d['x']", "price = 1  # x\n'x'; y.x; f(x=price); d['x']"),
        ("x = 1\nf'{x} x {x!r:>{x}} {{x}}'", "price = 1\nf'{price} x {price!r:>{price}} {{x}}'"),
        ("größe = x = 1; größe, x", "größe = price = 1; größe, price"),
        ("x = 1\ndef f(x):\n    return x", "price = 1\ndef f(x):\n    return x"),
        ("x = 1\ndef f(a=x):\n    return a + x", "price = 1\ndef f(a=price):\n    return a + price"),
        ("x = 1\ndef f():\n    x = 2\n    return x", "price = 1\ndef f():\n    x = 2\n    return x"),
        ("x = 1\ndef f():\n    global x\n    x = 2", "price = 1\ndef f():\n    global price\n    price = 2"),
        ("x = 1\n[x for x in [x]]", "price = 1\n[x for x in [price]]"),
        ("x = 1\n[y for y in z if x]\nlambda x: x", "price = 1\n[y for y in z if price]\nlambda x: x"),
        ("[x := y for y in z]\nx", "[price := y for y in z]\nprice"),
        ("x = 1\nclass C:\n    x = 2\n    def m(self): x", "price = 1\nclass C:\n    x = 2\n    def m(self): price"),
        ("def x(): return x", "def price(): return price"),
        ("async  def x(): pass", "async  def price(): pass"),
        ("@x\nclass x(x.y): pass", "@price\nclass price(price.y): pass"),
        ("import x", "import x as price"),
        ("import numpy as x, os\nx.x", "import numpy as price, os\nprice.x"),
        ("from x import x\nx", "from x import x as price\nprice"),
        ("try: pass\nexcept (A, B) as x: print(x)", "try: pass\nexcept (A, B) as price: print(price)"),
        ("match v:\n    case [x, *y]: x", "match v:\n    case [price, *y]: price"),
        ("match v:\n    case {'x': 1, **x}: x", "match v:\n    case {'x': 1, **price}: price"),
        ("match v:\n    case (1 | 2) as x: x", "match v:\n    case (1 | 2) as price: price"),
        ("x = y\ndel x", "price = y\ndel price"),
        ("for x in y: x += 1", "for price in y: price += 1"),
        ("x: int = 1", "price: int = 1"),
        ("x = 1\n%timeit -n 3 x + 1\n!echo {x} $x x", "price = 1\n%timeit -n 3 price + 1\n!echo {price} $price x"),
        ("%%time\nx = 1\nx", "%%time\nprice = 1\nprice"),
        ("%%capture x\nprint(1)", "%%capture price\nprint(1)"),
        ("x = 1\nx?", "price = 1\nprice?"),
        ("  x = !ls\n  x", "  price = !ls\n  price"),
        ("x = await y\nx", "price = await y\nprice"),
    ],
)  # fmt: skip
def test_python_places(before: str, after: str) -> None:
    assert renamed(before) == [after]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("select * from x", "select * from price"),
        ("select x.a, \"x\".b, 'x', x -- x\nfrom x", "select price.a, \"price\".b, 'x', x -- x\nfrom price"),
        ("select 1 from x join o on o.k = x.k", "select 1 from price join o on o.k = price.k"),
        ("select d.x from x as d", "select d.x from price as d"),
        ("select x from t where a > :x and c = ':x'", "select x from t where a > :price and c = ':x'"),
        ("select x from t where b in ({', '.join(x)})", "select x from t where b in ({', '.join(price)})"),
        ("-- result: x\nselect 1 as x", "-- result: price\nselect 1 as x"),
        ("%%sql default x <<\nselect 1", "%%sql default price <<\nselect 1"),
        ("explain select * from x", "explain select * from price"),
        ("select 1; select * from x;", "select 1; select * from price;"),
        ("with x as (select 1) select * from x", "with x as (select 1) select * from x"),
        ("select * from s.x", "select * from s.x"),
    ],
)  # fmt: skip
def test_sql_places(before: str, after: str) -> None:
    assert renamed("x = make()", f"SQL:{before}") == ["price = make()", after]


def test_only_the_cells_that_use_the_name_are_touched() -> None:
    cells = catalogue("x = 1", "y = 'x'", "MD:x", "print(x)")
    found = cells.renaming(cells.entries, "x", "price")
    assert list(found.edits) == ["a", "d"]
    assert found.unseen == ()
    cells = catalogue("x = 1", "exec(text)")
    assert cells.renaming(cells.entries, "x", "price").unseen == ("b",)


@pytest.mark.parametrize(
    ("codes", "new", "says"),
    [
        (["x = 1"], "1a", "`1a` is no name for a variable"),
        (["x = 1"], "class", "word of Python's grammar"),
        (["x = 1"], "x", "called `x` already"),
        (["x = 1"], "list", "Python's own name"),
        (["x = 1", "print(price)"], "price", "`price` is taken: cell b uses it"),
        (["x = 1", "def f():\n    return price"], "price", "taken: cell b"),
        (["x = 1", "SQL:select * from price"], "price", "taken: cell b"),
        (["print(x)"], "price", "No cell is known to write `x`"),
        (["x = 1", "def f(price):\n    return x"], "price", "Line 2 of cell b is inside a function"),
        (["x = 1", "class C:\n    price = 1\n    y = x"], "price", "Line 3 of cell b"),
        (["x = 1", "[x for price in y]"], "price", "Line 1 of cell b"),
        (["x = 1", "import x.y"], "price", "bound by `import x.y`"),
        (["x = 1", "x +"], "price", "code of cell b cannot be read"),
        (["x = 1", "class C:\n    x = x"], "price", "Cell b uses `x` in a way"),
        (["x = 1", "SQL:select * from (select * from x) as x"], "price", "cannot be told from other names"),
        (["x = 1", "SQL:create table x as select 1", "SQL:select * from x"], "price", "A table of cell b"),
    ],
)
def test_refusals_say_which_cell_stands_in_the_way(codes: list[str], new: str, says: str) -> None:
    with pytest.raises(RenameRefusedError) as refused:
        renamed(*codes, new=new)
    assert says in refused.value.message


def test_a_builtin_name_is_renamed_only_where_no_cell_may_mean_the_builtin() -> None:
    assert renamed("sum = 1\nsum", name="sum") == ["price = 1\nprice"]
    with pytest.raises(RenameRefusedError, match="cell b may mean that one") as refused:
        renamed("sum = 1", "sum([1])", name="sum")
    assert refused.value.cells == ("b",)
