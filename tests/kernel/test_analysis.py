"""Facts of Python cells, one rule of Python or of the dataflow a line; the oracle test has the random ones."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from tailrace_kernel.analysis import analyze
from tailrace_kernel.facts import Analysis, Carry, Effect


def names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# code → reads, writes
READS_AND_WRITES = [
    ("", "", ""),
    ("x = 1", "", "x"),
    ("y = x + 1", "x", "y"),
    ("x = x + 1", "x", "x"),
    ("_hidden = 1\n__x = _other", "_other", "_hidden __x"),
    ("a, (b, *c) = d", "d", "a b c"),
    ("print(len(x))", "x", ""),
    ("x: int", "", ""),
    ("x: T = v", "T v", "x"),
    ("x: 'T' = v", "v", "x"),
    ("from __future__ import annotations\nx: T = v", "v", "x annotations"),
    ("import a.b, c.d as e\nfrom f import g as h", "", "a e h"),
    ("x.y = 1", "x", "x"),
    ("x[i] = v", "x i v", "x"),
    ("del x[i]", "x i", "x"),
    ("del x", "x", "x"),
    ("x = 1\ndel x", "", "x"),
    ("for i in xs: pass", "xs", "i"),
    ("with open(p) as f: d = f.read()", "p", "f d"),
    ("try:\n  pass\nexcept E as e:\n  print(e)", "E", "e"),
    ("match v:\n  case {'k': a, **r}: pass\n  case P(b, c=d) | [b, d]: pass\n  case M.N: pass", "v P M", "a b d r"),
    ("if (n := f()): pass", "f", "n"),
    ("[m := i for i in xs]", "xs", "m"),
    ("{k: v for k, v in kv for w in v if w is u}", "kv u", ""),
    ("[x for x in x]", "x", ""),
    ("f'{x!r:{w}}'", "x w", ""),
    ("global g\ng = h", "h", "g"),
    ("lambda a, *b, c=d, **e: a + b + c + e + z", "d z", ""),
    # a name that is not bound on every path before its use is also a read
    ("if c: x = 1\nprint(x)", "c x", "x"),
    ("if c: x = 1\nelse: x = 2\nprint(x)", "c", "x"),
    ("for x in xs: pass\nprint(x)", "xs x", "x"),
    ("while True:\n  x = 1\n  if x: break\nprint(x)", "", "x"),
    ("while c:\n  x = 1\nprint(x)", "c x", "x"),
    ("try:\n  x = f()\nexcept E:\n  pass\nprint(x)", "f E x", "x"),
    ("try:\n  import q\nexcept ImportError:\n  q = None\nprint(q)", "", "q"),
    ("try:\n  x = f()\nexcept E:\n  raise\nprint(x)", "f E", "x"),
    ("try:\n  f = g()\nfinally:\n  f.close()", "f g", "f"),
    ("with suppress(E):\n  x = f()\nprint(x)", "suppress E f x", "x"),
    ("match v:\n  case 1: x = 1\n  case _: x = 2\nprint(x)", "v", "x"),
    ("c and (x := 1)\nprint(x)", "c x", "x"),
    ("for i in a:\n  print(y)\n  y = i", "a y", "i y"),
    ("if x: y = 1\nelif z: y = 2\nelse: y = 3\nprint(y)", "x z", "y"),
    ("def f(): return y\ny = 1\nf()", "", "f y"),
    # marimo's known mistakes
    ("class C:\n  a = b\nb = 1", "b", "C b"),
    ("z = [b for _ in r]\nb = 1", "b r", "z b"),
    ("class C:\n  k = 1\n  def m(self): return k\nC().m()", "k", "C"),
    ("class C:\n  k = 1\n  z = [k for _ in range(3)]", "k", "C"),
    ("class C:\n  x = x", "x", "C"),
    ("def f():\n  print(loc)\n  loc = 1\nf()", "", "f"),
    ("def f():\n  v = 1\n  del v\n  print(v)\nf()", "", "f"),
    # scopes
    ("class C:\n  def m(self): return __class__, __q\nC", "_C__q", "C"),
    ("def f(a, b=c, *, d: e = g) -> h: return a", "c e g h", "f"),
    ("@deco(x)\nclass C(B, metaclass=M): pass", "deco x B M", "C"),
    ("def f():\n  global g\n  g = 1\nf()", "", "f g"),
    ("def o():\n  n = 1\n  def i():\n    nonlocal n\n    n = k\n  i()\no()", "k", "o"),
    ("def o(k):\n  class C:\n    v = k\n    def m(self): return k, v\n  return C\no(1)", "v", "o"),
    ("async def f():\n  async for i in s: pass\n  async with c as d: await d", "s c", "f"),
    ("x = await f()", "f", "x"),
    ("raise E(m) from c", "E m c", ""),
    ("class A:\n  def m(self): return h\nclass B(A): pass\ndef h(a: A): pass", "", "A B h"),
]


@pytest.mark.parametrize(("code", "reads", "writes"), READS_AND_WRITES)
def test_reads_and_writes(code: str, reads: str, writes: str) -> None:
    facts = analyze(code)
    assert facts.parses
    assert (facts.reads, facts.writes) == (names(reads), names(writes))


# code → changes, and which of them are in writes
CHANGES = [
    ("x.append(1)", "x", "x"),
    ("y = x.pop()", "x", "x"),
    ("x += 1", "x", "x"),
    ("x[0][1].a = 2", "x", "x"),
    ("x.a += 1", "x", "x"),
    ("next(x)", "x", "x"),
    ("df.drop(columns=c, inplace=True)", "df", "df"),
    ("df.drop(columns=c, inplace=False)", "", ""),
    ("model.fit(X, y)", "model", "model"),
    ("list.append(x, 1)", "x", "x"),
    ("heapq.heappush(h, 1)", "h", "h"),
    ("np.add(a, b, out=c)", "c np", "c np"),
    ("setattr(x, 'a', 1)", "x", "x"),
    ("np.add.at(a, i, 1)", "a", "a"),
    ("vars(x)['a'] = 1", "x", ""),
    ("x = []\nx.append(1)", "", ""),
    ("[x.append(i) for i in r]", "x", "x"),
    ("object.__setattr__(x, 'a', 1)", "x", "x"),
    ("if c: x = []\nx.append(1)", "x", "x"),
    ("x.get(k).append(1)", "x", "x"),
    ("x.setdefault(k, []).append(1)", "x", "x"),
    ("for x[0] in y: pass", "x", "x"),
    # through an alias: only in changes
    ("y = x\ny.append(1)", "x", ""),
    ("y = x[0].a\ny.append(1)", "x", ""),
    ("for r in x: r.append(1)", "x", ""),
    ("for i, r in enumerate(x): r['k'] = i", "x", ""),
    ("for k, v in x.items(): v.append(k)", "x", ""),
    ("for a, b in zip(x, y): b.append(a)", "x y", ""),
    ("y = [x, z]\ny[0].append(1)", "x z", ""),
    ("y = [x]\ny.append(1)", "", ""),
    ("y = list(x)\ny.append(1)", "", ""),
    ("y = x.copy()\ny[0].append(1)", "x", ""),
    ("y = x if c else z\ny.clear()", "x z", ""),
    ("y = x\nx = []\nx.append(1)", "", ""),
    ("y = x\nx = []\ny.append(1)", "x", ""),
    ("for r in x:\n  y.append(1)\n  y = r", "x y", "y"),
    ("with x as y: y.append(1)", "x", ""),
    ("match x:\n  case [a, *b]: a.append(b)", "x", ""),
    ("(y := x).append(1)", "x", ""),
    ("y = []\ny.append(x)\ny[0].append(1)", "x", ""),
    ("y = {}\ny['k'] = x\nfor v in y.values(): v.clear()", "x", ""),
    ("y = []\ny += [x]\ny[0].append(1)", "x", ""),
    ("y = []\ny.append(x)\ny.append(2)", "", ""),
    # by functions of the cell, where they are used
    ("def f(): x.append(1)\nf()", "x", "x"),
    ("def f(): x.append(1)", "", ""),
    ("f = lambda: x.append(1)\ng = f\ng()", "x", "x"),
    ("def f():\n  y = x\n  y.append(1)\nf()", "x", "x"),
    ("def f(x): x.append(1)\nf([])", "", ""),
    ("class C:\n  def m(self): x.append(1)\nc = C()\nc.m()", "x", "x"),
    ("import os\nos.environ['a'] = 'b'", "", ""),
    ("os.environ['a'] = 'b'", "os", "os"),
]


@pytest.mark.parametrize(("code", "changes", "under_own_name"), CHANGES)
def test_changes(code: str, changes: str, under_own_name: str) -> None:
    facts = analyze(code)
    assert facts.changes == names(changes)
    assert facts.changes <= facts.reads
    assert names(under_own_name) <= facts.writes
    reached_through_alias = names(changes) - names(under_own_name)
    assert not reached_through_alias & (facts.writes - facts.binds - facts.may_bind)


def test_binds_on_every_path_and_on_some() -> None:
    facts = analyze("a = 1\nif c: b = 1\nfor i in r: j = 1\ndel d\nif c: del e\nx[0] = 1\nf = 1\ndel f\n")
    assert facts.binds == names("a")
    assert facts.may_bind == names("b i j")
    assert facts.deletes == names("d e f")
    assert facts.writes == names("a b i j d e f x")
    assert facts.reads == names("c r d e x")


def test_imports_are_told_apart() -> None:
    facts = analyze("import a, b.c as d\nfrom e import f\ng = 1\ntry:\n  import h\nexcept ImportError:\n  h = None\n")
    assert facts.imports == names("a d f")


def test_builtins_stand_apart() -> None:
    facts = analyze("print(sum(x))\nlen = 3\nlen")
    assert facts.builtin_reads == names("print sum")
    assert facts.reads == names("x")


def test_bodies_of_functions_are_call_time() -> None:
    facts = analyze("def f(a): return a + k + len(a)\nclass C:\n  def m(self): return n\ng = lambda: o\n")
    assert facts.reads == names("k n o")
    assert facts.call_time == names("k n o")
    assert facts.immediate_reads == frozenset()
    assert facts.deferred == {"f": names("k"), "C": names("n"), "g": names("o")}
    used = analyze("def f(a): return a + k\nf(1)")
    assert used.immediate_reads == names("k")


def test_what_calls_do() -> None:
    facts = analyze("def f():\n  global g\n  x.append(y)\n  g = 1\n  def inner(): return z\n  return inner\n")
    effects = facts.calls["f"]
    assert effects.reads == names("x y z")
    assert effects.changes == names("x")
    assert effects.may_bind == names("g")
    assert effects.makes_callables
    assert facts.writes == names("f")


CARRIES = [
    ("g = f", {"g": {Carry("f", False)}}),
    ("g = make(3)", {"g": {Carry("make", True)}}),
    ("g = obj.method", {"g": {Carry("obj", False)}}),
    ("g = {'k': f}", {"g": {Carry("f", False)}}),
    ("g = partial(f, 1)", {"g": {Carry("partial", True), Carry("f", True), Carry("f", False)}}),
    ("@deco\ndef g(): pass", {"g": {Carry("deco", True)}}),
    ("class G(Base): pass", {"G": {Carry("Base", False)}}),
    ("a, b = f, g", {"a": {Carry("f", False)}, "b": {Carry("g", False)}}),
    ("g = len(x)", {}),
    ("g = []\ng.append(f)", {"g": {Carry("f", False)}}),
    ("g = f\ng += h", {"g": {Carry("f", False), Carry("h", False)}}),
    ("g = f\ng = 1", {}),
]


@pytest.mark.parametrize(("code", "carries"), CARRIES)
def test_where_calls_come_from(code: str, carries: dict[str, set[Carry]]) -> None:
    assert {name: set(found) for name, found in analyze(code).carries.items()} == carries


def test_results_of_functions_that_make_functions_do_what_those_do() -> None:
    facts = analyze(
        "def make():\n  def inner(): return z\n  return inner\ng = make()\nclass C:\n  def m(self): return w\nc = C()"
    )
    assert facts.calls["g"].reads == names("z")
    assert facts.calls["c"].reads == names("w")


# code → reads, writes, effects, opaque
IPYTHON: list[tuple[str, str, str, set[Effect], bool]] = [
    ("%matplotlib inline\nx = y", "y", "x", set(), False),
    ("!ls {d}/$e", "d e", "", {Effect.SHELL}, False),
    ("x = !ls", "", "x", {Effect.SHELL}, False),
    ("!!ls", "", "", {Effect.SHELL}, False),
    ("if a:\n    !ls\n    x = 1", "a", "x", {Effect.SHELL}, False),
    ("%time y = f(x)", "f x", "y", set(), False),
    ("t = %timeit -o -n 10 f(x)", "f x", "t", set(), False),
    ("%%time\nz = w", "w", "z", set(), False),
    ("%%capture out\nz = w\n%time y = z", "w", "out y z", set(), False),
    ("%%timeit s = a\nz = b + s", "a b", "", set(), False),
    ("%%bash --out q\nls $x", "", "q", {Effect.SHELL}, True),
    ("%%html\n<b>{x}</b>", "", "", set(), False),
    ("%%whatever\nanything", "", "", set(), True),
    ("%run other.py", "", "", set(), True),
    ("%pip install x", "", "", {Effect.SHELL}, False),
    ("df.head?", "df", "", set(), False),
    ("?df", "df", "", set(), False),
    ("get_ipython().run_line_magic('time', 'y = x')", "x", "y", set(), False),
    ("exec(s)", "s", "", set(), True),
    ("globals()['x'] = 1", "", "", set(), True),
    ("def f(): return locals()", "", "f", set(), False),
]


@pytest.mark.parametrize(("code", "reads", "writes", "effects", "opaque"), IPYTHON)
def test_ipython_syntax_and_opaque_code(code: str, reads: str, writes: str, effects: set[Effect], opaque: bool) -> None:
    facts = analyze(code)
    assert facts.parses
    assert (facts.reads, facts.writes) == (names(reads), names(writes))
    assert facts.effects == effects
    assert facts.opaque == opaque


def test_star_import_is_told() -> None:
    (found,) = analyze("x = 1\nfrom numpy import *").diagnostics
    assert (found.kind, found.line, found.column) == ("star_import", 2, 0)


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [
        ("x = (", 1, 4),
        ("a = 1\nb = = 2", 2, 4),
        ("return 1", 1, 0),
        ("!ls\n\nx = = 1", 3, 4),
        ("x = '\0'", 1, 0),
        ("nonlocal x", 1, 0),
    ],
)
def test_code_that_does_not_parse(code: str, line: int, column: int) -> None:
    facts = analyze(code)
    assert not facts.parses
    assert facts.code is None
    (found,) = facts.diagnostics
    assert (found.kind, found.line, found.column) == ("syntax", line, column)


def test_nesting_without_end_is_an_answer() -> None:
    assert analyze("x = " + "+".join(["a"] * 900)).reads == names("a")
    assert analyze("if a: x = 1\n" + "".join(f"elif b{i}: x = {i}\n" for i in range(80))).may_bind == names("x")
    assert not analyze("(" * 5000 + ")" * 5000).parses


def test_deep_nesting_takes_no_time() -> None:
    nested = "x = 1\n"
    for _ in range(8):  # CPython itself doubles its work with each
        nested = "try:\n  pass\nfinally:\n" + "".join(f" {line}\n" for line in nested.splitlines())
    assert analyze(nested).binds == names("x")
    loops = "".join(" " * depth + f"for i{depth} in r:\n" for depth in range(15)) + " " * 15 + "a = b; b = c; del d\n"
    assert analyze(loops).may_bind >= names("a b")


def run(facts: Analysis, namespace: dict[str, Any]) -> Any:
    assert facts.code is not None
    if facts.code.body is not None:
        exec(facts.code.body, namespace)
    return eval(facts.code.last, namespace) if facts.code.last is not None else None


def test_code_is_body_and_last_expression() -> None:
    space: dict[str, Any] = {}
    assert run(analyze("x = 2\nx * 3"), space) == 6
    assert run(analyze("x * 3;"), space) is None
    assert run(analyze("x * 3;  # quiet"), space) is None
    assert run(analyze("x * 3  # loud;"), space) == 6
    assert run(analyze("'a;'"), space) == "a;"
    assert analyze("x = 1").code is not None
    assert run(analyze(""), space) is None


def test_top_level_await_makes_coroutines() -> None:
    facts = analyze("import asyncio\nx = 1\nawait asyncio.sleep(0, x)")
    assert facts.code is not None
    assert facts.code.is_async
    assert facts.code.last is not None
    assert facts.code.last.co_flags & inspect.CO_COROUTINE
    assert not analyze("async def f(): await g()").code.is_async  # type: ignore[union-attr]


def test_tracebacks_name_the_file_of_the_cell() -> None:
    facts = analyze("def f(): pass\nf", filename="<cell k3f9>")
    assert facts.code is not None
    assert facts.code.body is not None
    assert facts.code.body.co_filename == "<cell k3f9>"


def test_a_transform_of_the_caller_is_used_for_code_that_is_no_python() -> None:
    seen: list[str] = []
    transform: Callable[[str], str] = lambda code: seen.append(code) or "x = y"  # type: ignore[func-returns-value]  # noqa: E731
    assert analyze("@@@", transform=transform).reads == names("y")
    assert analyze("z = 1", transform=transform).writes == names("z")
    assert seen == ["@@@"]
