"""What calls change: running a cell again counts once, wherever the change is hidden, as in a script run anew."""

from typing import Any

import pytest

from tests.kernel.dataflow import Notebook

K = "class K:\n    def __init__(self): self.n = 0\n    def up(self): self.n += 1\n    def seen(self): return self.n"

BUS = """
class Bus:
    def __init__(self): self.subs = []
    def on(self, f): self.subs.append(f)
    def emit(self, *a):
        for f in self.subs: f(*a)
bus = Bus()
"""

# what it is about → the cells, the last of which is run again, and what is compared
CASES: dict[str, tuple[list[str], str]] = {
    # methods of notebook classes
    "on a parameter": ([K, "def go(k): k.up()", "k = K()", "go(k)"], "k.n"),
    "class and function in one cell": ([K + "\ndef go(k): k.up()", "k = K()", "go(k)"], "k.n"),
    "on elements of a parameter": ([K, "def go(ks):\n    for k in ks: k.up()", "ks = [K()]", "go(ks)"], "ks[0].n"),
    "by subscript": ([K, "def go(ks): ks[0].up()", "ks = [K()]", "go(ks)"], "ks[0].n"),
    "on gathered parameters": ([K, "def go(*ks):\n    for k in ks: k.up()", "k = K()", "go(k)"], "k.n"),
    "on a part of a container": ([K, "def go(k): k.up()", "d = {'k': K()}", "go(d['k'])"], "d['k'].n"),
    "of an instance that a function made": ([K, "def make(): return K()", "k = make()", "k.up()"], "k.n"),
    "of a list that a function made": ([K, "def make(): return [K()]", "k, = make()", "k.up()"], "k.n"),
    "of a class inside a function": (
        [
            "def make():\n    class L:\n        n = 0\n        def up(self): self.n += 1\n    return L()",
            "l = make()",
            "l.up()",
        ],
        "l.n",
    ),
    "of a result of an operator": (
        [
            "class V:\n    n = 0\n    def up(self): self.n += 1\n    def __add__(self, o): return V()",
            "v = V()",
            "w = v + v",
            "w.up()",
        ],
        "w.n",
    ),
    "of a part made inside": ([K, "class D:\n    def __init__(self): self.k = K()", "d = D()", "d.k.up()"], "d.k.n"),
    "of a part with a method of that name": (
        [K, "class D:\n    def __init__(self): self.k = K()\n    def up(self): self.k.up()", "d = D()", "d.up()"],
        "d.k.n",
    ),
    "of parts in a loop": (
        [
            K,
            "class D:\n    def __init__(self): self.ks = [K()]\n    def go(self):\n        for k in self.ks: k.up()",
            "d = D()",
            "d.go()",
        ],
        "d.ks[0].n",
    ),
    "of a field": (
        [
            K,
            "from dataclasses import dataclass, field",
            "@dataclass\nclass D:\n    k: K = field(default_factory=K)",
            "d = D()",
            "d.k.up()",
        ],
        "d.k.n",
    ),
    "of a part that is handed on": (
        [K, "class D:\n    def __init__(self): self.k = K()", "def go(k): k.up()", "d = D()", "go(d.k)"],
        "d.k.n",
    ),
    "a class below": (["def go(k): k.up()", K, "k = K()", "go(k)"], "k.n"),
    # objects in a literal argument
    "list": (["def go(ls):\n    for l in ls: l.append(0)", "a = []; b = []", "go([a, b])"], "(a, b)"),
    "dict": (["def go(d):\n    for l in d.values(): l.append(0)", "a = []", "go({'a': a})"], "a"),
    "tuple": (["def go(p):\n    l, n = p\n    l.append(n)", "l = []", "go((l, 1))"], "l"),
    "dict unpacked": (["def go(**d):\n    for l in d.values(): l.append(0)", "a = []", "go(**{'a': a})"], "a"),
    "keywords in a name": (["def go(l): l.append(0)", "a = []; kw = dict(l=a)", "go(**kw)"], "a"),
    # other calls and sums
    "a bound method under another name": ([K, "k = K()", "up = k.up", "up()"], "k.n"),
    "a bound method in one cell": ([K, "k = K()", "up = k.up\nup()"], "k.n"),
    "the base's method": (
        [
            "class A:\n    def __init__(self): self.l = []\n    def put1(self, x): self.l.append(x)",
            "class B(A):\n    def put2(self, x): super().put1(x)",
            "b = B()",
            "b.put2(1)",
        ],
        "b.l",
    ),
    "a parameter times a number": (["def scale(x):\n    x *= 2\n    return x", "a = [1]", "b = scale(a)"], "a"),
    "an array plus a number": (
        [
            "import numpy as np\ndef lift(x):\n    assert x.ndim == 1\n    x += 1\n    return x",
            "a = np.ones(2)",
            "b = lift(a)",
        ],
        "a.tolist()",
    ),
    "elements of a sum": (["a = [[1]]", "b = a + [[2]]\nb[0].append(5)"], "a"),
    "elements of a union": (["a = {'k': []}", "b = a | {}\nb['k'].append(5)"], "a"),
    # calls of libraries
    "asarray": (["import numpy as np\na = np.zeros(3)", "b = np.asarray(a)\nb += 1"], "a.tolist()"),
    "ravel": (["import numpy as np\na = np.zeros(3)", "b = np.ravel(a)\nb[0] += 1"], "a.tolist()"),
    "split": (["import numpy as np\na = np.zeros(4)", "l, r = np.split(a, 2)\nl += 1"], "a.tolist()"),
    "put": (["import numpy as np\na = np.zeros(2)", "np.put(a, [0], a[0] + 1)"], "a.tolist()"),
    "nan_to_num": (
        [
            "import numpy as np\na = np.array([np.nan])\nn = []",
            "n.append(np.isnan(a[0]))\nnp.nan_to_num(a, copy=False)",
        ],
        "(n, a.tolist())",
    ),
    "the place of a result": (["import numpy as np\na = np.ones(2)", "np.add(a, 1, a)"], "a.tolist()"),
    "addHandler": (
        ["import logging\nlog = logging.Logger('x')", "log.addHandler(logging.NullHandler())"],
        "len(log.handlers)",
    ),
    "insert_column": (
        [
            "import polars as pl\ndf = pl.DataFrame({'a': [1]})",
            "df.insert_column(0, pl.Series(str(len(df.columns)), [1]))",
        ],
        "df.columns",
    ),
    "SubElement": (["import xml.etree.ElementTree as ET\nr = ET.Element('r')", "ET.SubElement(r, 'x')"], "len(r)"),
    "add_argument": (
        ["import argparse\np = argparse.ArgumentParser()", "p.add_argument('--n', default=3)"],
        "len(p._actions)",
    ),
    "dump": (["import io, json\nout = io.StringIO()", "json.dump([1], out)"], "out.getvalue()"),
    "to_csv": (
        ["import io\nimport pandas as pd\nf = io.StringIO()\ndf = pd.DataFrame({'a': [1]})", "df.to_csv(f)"],
        "f.getvalue()",
    ),
    "writerow": (["import csv, io\nf = io.StringIO()", "w = csv.writer(f)\nw.writerow([1])"], "f.getvalue()"),
    "pack_into": (
        ["import struct\nb = bytearray(2)", "struct.pack_into('h', b, 0, struct.unpack('h', b)[0] + 1)"],
        "bytes(b)",
    ),
    # functions among the arguments
    "map": (["def add(l): l.append(1)", "xs = [[], []]", "list(map(add, xs))"], "xs"),
    "map of a lambda": (["xs = [[], []]", "list(map(lambda l: l.append(1), xs))"], "xs"),
    "Series.apply": (
        ["import pandas as pd\ndf = pd.DataFrame({'l': [[1]]})", "df.l.apply(lambda l: l.append(0))"],
        "df.l.tolist()",
    ),
    "pipe": (
        [
            "import pandas as pd\ndf = pd.DataFrame({'l': [1]})",
            "def wide(d):\n    d[len(d.columns)] = 1\n    return d",
            "df.pipe(wide)",
        ],
        "df.shape",
    ),
    "a function that calls": (
        ["def run(l, call): call(l)", "def add(l): l.append(1)", "xs = []", "run(xs, add)"],
        "xs",
    ),
    "a function that calls a lambda": (
        ["def run(l, call): call(l)", "xs = []", "run(xs, lambda l: l.append(1))"],
        "xs",
    ),
    "partial": (
        ["from functools import partial\ndef add(l, v): l.append(v)", "xs = []", "p = partial(add, xs)\np(1)"],
        "xs",
    ),
    "partial in a cell of its own": (
        ["from functools import partial\ndef add(l, v): l.append(v)", "xs = []", "p = partial(add, xs)", "p(1)"],
        "xs",
    ),
    "a callback that is kept": (
        [
            BUS,
            "got = []",
            "bus.on(lambda x: got.append(x))",
            "bus.emit(3)",
        ],
        "got",
    ),
    "a named callback that is kept": (
        [
            BUS,
            "got = []",
            "def add(x): got.append(x)",
            "bus.on(add)",
            "bus.emit(3)",
        ],
        "got",
    ),
    "a decorator that keeps": (
        [
            "reg = {}\ndef register(f):\n    reg[f.__name__] = f\n    return f",
            "log = []",
            "@register\ndef hello(): log.append('x')",
            "reg['hello']()",
        ],
        "log",
    ),
    # what a call gave back, changed in the cell that called
    "a given object": (["def same(x): return x", "x = [[]]", "y = same(x)\ny.append(1)"], "x"),
    "a part of it": (["def last(x): return x[-1]", "x = [[]]", "y = last(x)\ny.append(1)"], "x"),
    "an object of a library": (["import copy\nx = [[]]", "y = copy.copy(x)[0]\ny.append(1)"], "x"),
    "each part in a loop": (
        ["def rows(x):\n    yield from x", "x = [{}, {}]", "for r in rows(x): r[len(r)] = 1"],
        "x",
    ),
    "an array's view": (
        ["import numpy as np\na = np.zeros(3)\ndef tail(x): return x[1:]", "b = tail(a)\nb += 1"],
        "a.tolist()",
    ),
    "a frame": (
        [
            "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\ndef same(d): return d",
            "d = same(df)\nd[len(d.columns)] = 1",
        ],
        "df.shape",
    ),
    # functions that remember
    "a default that is a container": (["def push(v, acc=[]):\n    acc.append(v)\n    return acc", "r = push(1)"], "r"),
    "a counter in a closure": (
        [
            "def counter():\n    n = 0\n    def inc():\n        nonlocal n\n        n += 1\n        return n\n"
            "    return inc",
            "c = counter()",
            "v = c()",
        ],
        "v",
    ),
    "a list in a closure": (
        [
            "def keeper():\n    l = []\n    def add(x):\n        l.append(x)\n        return list(l)\n    return add",
            "k = keeper()",
            "v = k(1)",
        ],
        "v",
    ),
    "an instance that is called": (
        ["class T:\n    n = 0\n    def __call__(self): self.n += 1", "t = T()", "t()"],
        "t.n",
    ),
    "a default that is a function": (
        ["def add(l): l.append(1)\ndef run(l, call=add): call(l)", "xs = []", "run(xs)"],
        "xs",
    ),
    "a default that is a lambda": (["def run(l, call=lambda l: l.append(1)): call(l)", "xs = []", "run(xs)"], "xs"),
    "a default from another cell": (
        ["def add(l): l.append(1)", "def run(l, *, call=add): call(l)", "xs = []", "run(xs)"],
        "xs",
    ),
    "a context": (
        [
            "class T:\n    n = 0\n    def __enter__(self):\n        self.n += 1\n        return self\n"
            "    def __exit__(self, *a): self.n += 1",
            "t = T()",
            "with t: pass",
        ],
        "t.n",
    ),
    # what is used up by reading it
    "iterator": (["it = iter([1, 2, 3])", "v = list(it)"], "v"),
    "iterator in a loop": (["it = iter([1, 2, 3])", "v = []\nfor x in it: v.append(x)"], "v"),
    "generator": (["g = (i for i in range(3))", "v = sum(g)"], "v"),
    "generator that is sent to": (
        ["def g():\n    t = 0\n    while True: t += (yield t) or 0", "it = g()\nnext(it)", "v = it.send(5)"],
        "v",
    ),
    "zip": (["a = zip([1], [2])", "v = list(a)"], "v"),
    "open file": (["import io\nf = io.StringIO('a\\nb')", "v = [l for l in f]"], "v"),
    "table reader": (["import csv, io\nr = csv.reader(io.StringIO('a,b'))", "v = list(r)"], "v"),
    "iterator of the notebook": (
        [
            "class It:\n    n = 0\n    def __iter__(self): return self\n    def __next__(self):\n        self.n += 1\n"
            "        if self.n > 3: raise StopIteration\n        return self.n",
            "it = It()",
            "v = list(it)",
        ],
        "v",
    ),
    # windows onto an object
    "loc under a name": (
        ["import pandas as pd\ndf = pd.DataFrame({'a': [1]})", "l = df.loc", "l[len(df)] = 5"],
        "df.a.tolist()",
    ),
    "loc under a name in one cell": (
        ["import pandas as pd\ndf = pd.DataFrame({'a': [1]})", "l = df.loc\nl[len(df)] = 5"],
        "df.a.tolist()",
    ),
    "memoryview": (["b = bytearray(2)", "m = memoryview(b)", "m[0] = m[0] + 1"], "bytes(b)"),
    "rows of a frame": (
        ["import pandas as pd\ndf = pd.DataFrame({'l': [[1]]})", "for i, row in df.iterrows(): row['l'].append(2)"],
        "df.l.tolist()",
    ),
    "named rows of a frame": (
        ["import pandas as pd\ndf = pd.DataFrame({'l': [[1]]})", "for row in df.itertuples(): row.l.append(2)"],
        "df.l.tolist()",
    ),
    # state of classes
    "a list of the class": (["class C:\n    all = []\n    def __init__(self): self.all.append(1)", "a = C()"], "C.all"),
    "type(self)": (["class C:\n    n = 0\n    def __init__(self): type(self).n += 1", "a = C()"], "C.n"),
    "__class__": (["class C:\n    n = 0\n    def __init__(self): self.__class__.n += 1", "a = C()"], "C.n"),
    "a class method": (
        ["class C:\n    n = 0\n    @classmethod\n    def count(cls): cls.n += 1", "a = C()", "a.count()"],
        "C.n",
    ),
    "a class method's element": (
        [
            "class C:\n    seen = {}\n    @classmethod\n    def note(cls, k): cls.seen[k] = len(cls.seen)",
            "C.note('a')",
            "C.note('b')",
        ],
        "C.seen",
    ),
}


def notebook(cells: list[str], **more: Any) -> Notebook:
    nb = Notebook(**more)
    nb.put_all({chr(97 + i): code for i, code in enumerate(cells)})
    nb.run(mode="all")
    return nb


@pytest.mark.parametrize("copies", [True, False])
@pytest.mark.parametrize(("cells", "shown"), CASES.values(), ids=CASES)
def test_running_the_last_cell_again_counts_once(cells: list[str], shown: str, copies: bool) -> None:
    """It is run three times; what is seen is what the script gives."""
    script: dict[str, Any] = {"__name__": "__main__"}
    for code in cells:
        exec(code, script)
    expected = repr(eval(shown, script))
    nb = notebook(cells, copies=copies)
    for _ in range(3):
        assert nb.all_fresh(), nb.error
        assert repr(eval(shown, dict(nb.user))) == expected
        nb.run(chr(96 + len(cells)))


@pytest.mark.parametrize(
    "cells",
    [
        [K, "k = K()", "n = k.seen()"],
        [K, "class Other:\n    def seen(self): self.n = 1", "k = K()", "n = k.seen()"],
        [K, "def go(k): return k.seen()", "k = K()", "n = go(k)"],
        ["class Stack:\n    def head(self): self.n = 1", "def make(): return [2]", "l = make()", "n = l.index(2)"],
        ["def count(n):\n    while n > 0: n -= 1\n    return n", "n = 3", "m = count(n)"],
        ["def tag(s):\n    s += '!'\n    return s", "s = 'a'", "t = tag(s)"],
        ["def step(n: int):\n    n += 1\n    return n", "n = 3", "m = step(n)"],
        ["def add(l): l.append(1)", "xs = [[]]", "print(xs, add)"],
        ["def longest(l): return len(l)", "xs = [[]]", "sorted(xs, key=longest)"],
        [
            "class C:\n    items = []\n    def __init__(self):\n        self.items = []\n        self.items.append(1)",
            "c = C()",
        ],
        ["def make(n=3, names=()): return [n, *names]", "r = make()"],
        ["def count(l, seen=[]):\n    return len(l) + len(seen)", "r = count([1])"],
        [
            "def walk(t):\n    out = []\n    def visit(n):\n        out.append(n)\n    visit(t)\n    return out",
            "r = walk(1)",
            "n = len(r)",
        ],
        ["def adder(n):\n    def add(x): return x + n\n    return add", "add = adder(1)", "v = add(2)"],
        ["class T:\n    def __call__(self, x): return x", "t = T()", "v = t(1)"],
        ["class T:\n    def __enter__(self): return self\n    def __exit__(self, *a): pass", "t = T()", "with t: pass"],
        ["r = range(3)", "v = list(r)"],
        ["import numpy as np\na = np.ones(2)", "b = np.add(a, 1)\nnp.sqrt(b)"],
        ["def make(): return []", "y = make()\ny.append(1)"],
        ["def make(): return []\nx = make()", "y = x.copy()\ny.append(1)"],
        ["import pandas as pd\ndf = pd.DataFrame({'a': [1]})", "d = df.dropna()\nd['b'] = 1"],
        ["import pandas as pd\ndf = pd.DataFrame({'a': [1]})", "for i, row in df.iterrows(): print(i, row['a'])"],
        ["import numpy as np\na = np.zeros(3)", "b = a[a > 0]\nc = b.copy()\nc += 1"],
        ["import math", "class Stack:\n    def floor(self): self.n = 1", "x = 2.5", "n = math.floor(x)"],
    ],
)
def test_calls_that_only_read_change_nothing(cells: list[str]) -> None:
    nb = notebook(cells)
    last = chr(96 + len(cells))
    assert not nb.scheduler.state.graph.changes[last]
    assert nb.run(last) == [last]


def test_a_class_that_comes_to_change_in_a_method_is_noticed_by_its_callers() -> None:
    nb = notebook(["class K:\n    def up(self): return 1", "def make(): return K()", "k = make()", "k.up()"])
    graph = nb.scheduler.state.graph
    assert not graph.changes["d"]
    nb.put("a", "class K:\n    def up(self): self.n = 1")
    assert graph.changes["d"] == {"k"}
    nb.remove("a")
    assert not graph.changes["d"]
