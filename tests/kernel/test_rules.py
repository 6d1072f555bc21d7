"""Each rule of the dataflow semantics, switched off, breaks a small notebook that is right with it."""

from collections.abc import Callable

import pytest

from tailrace_kernel.rules import Rules
from tailrace_kernel.stimuli import CellFinished, RunRequested, SettingsChanged
from tests.kernel.dataflow import Notebook
from tests.kernel.plain_script import pictures, script, sharing

Play = Callable[[Notebook], None]


def cells(*texts: str) -> Callable[[Notebook], Notebook]:
    """Cells a, b, c … with these texts, run once."""

    def fill(nb: Notebook) -> Notebook:
        nb.put_all({chr(97 + index): text for index, text in enumerate(texts)})
        nb.run(mode="all")
        return nb

    return fill


def as_script(nb: Notebook) -> None:
    """All is fresh, and equals the script."""
    order = nb.scheduler.order()
    plain = script([nb.code[cell] for cell in order])
    assert plain is not None
    assert nb.all_fresh(), nb.statuses()
    assert pictures(nb.user) == pictures(plain[0])
    assert [nb.output[cell] for cell in order] == plain[1]
    assert sharing(nb.user) == sharing(plain[0])


def builtin_never_below(nb: Notebook) -> None:
    cells("n = len([1])", "len = 3")(nb)
    as_script(nb)


def own_never_below(nb: Notebook) -> None:
    cells("x = x + 1", "x = 1")(nb)
    assert nb.error["a"] == "NameError: name 'x' is not defined"


def may_bind_passes(nb: Notebook) -> None:
    cells("x = 1", "if x > 5: y = 2", "y = 7", "for i in []: y = i", "z = y")(nb)
    as_script(nb)


def call_time(nb: Notebook) -> None:
    cells("def f(): return n", "n = 1", "a = f()", "n = 2", "b = f()")(nb)
    nb.put("b", "n = 5")
    nb.run("b")
    as_script(nb)


def versions(nb: Notebook) -> None:
    cells("x = 1", "x = x + 1")(nb)
    nb.run("b")
    as_script(nb)


def spent(nb: Notebook) -> None:
    cells("x = []", "y = x", "x.append(1)")(nb)
    nb.run("c")
    as_script(nb)


def made_again_at_rest(nb: Notebook) -> None:
    cells("x = []", "y = x", "x.append(1)")(nb)
    nb.remove("c")
    as_script(nb)


def copies(nb: Notebook) -> None:
    cells("x = []", "x.append(1)")(nb)
    assert nb.run("b") == ["b"]
    as_script(nb)


def copies_recalled(nb: Notebook) -> None:
    cells("x = []", "n = 1", "x.append(1)")(nb)
    nb.put("b", "y = x")
    nb.run("b")
    as_script(nb)


def sharing_found(nb: Notebook) -> None:
    cells("x = []", "y = x", "z = 1", "n = len(y)")(nb)
    nb.put("c", "x.append(1)")
    nb.run("c")
    as_script(nb)


def parts(nb: Notebook) -> None:
    cells("x = [1]", "box = {'x': x}", "z = 1", "n = len(box['x'])")(nb)
    nb.put("c", "x.append(2)")
    nb.run("c")
    as_script(nb)


def readers_then(nb: Notebook) -> None:
    cells("x = 1", "y = x")(nb)
    nb.put("a", "z = 1")
    nb.run("a")
    assert nb.error["b"] == "NameError: name 'x' is not defined"


def same_import(nb: Notebook) -> None:
    cells("import math", "y = math.pi")(nb)
    assert nb.run("a") == ["a"]


def order_only(nb: Notebook) -> None:
    cells("x = []", "n = len(x) + z", "x.append(1)", "z = 1")(nb)
    assert nb.runs == ["a", "d", "b", "c"]


def call_below_dropped(nb: Notebook) -> None:
    cells("def f(): return 1 if True else z", "y = f()", "z = y")(nb)
    assert nb.scheduler.cycles() == ()
    assert nb.value("z") == 1


def unbinds_first(nb: Notebook) -> None:
    cells("y = 1", "n = 1", "if n: y = 2", "z = y")(nb)
    nb.put("b", "n = 0")
    nb.run("b")
    as_script(nb)


def failed_change_spends(nb: Notebook) -> None:
    cells("x = [1]", "y = x", "x.append(2); 1 / 0")(nb)
    nb.put("c", "x.append(3)")
    nb.run("c")
    as_script(nb)


def sharers_stay(nb: Notebook) -> None:
    nb.namespace.budget = 0
    cells("w = v = [1]", "v = v + [0]", "n = 0")(nb)
    nb.put("d", "w.append(4)", index=1)
    nb.run("d")
    as_script(nb)


def pulls(nb: Notebook) -> None:
    nb.put_all({"a": "x = 1", "b": "y = x"})
    assert nb.run("b", mode="single") == ["a", "b"]
    as_script(nb)


def skip_fresh(nb: Notebook) -> None:
    cells("import math", "y = math.pi", "z = y")(nb)
    assert nb.run("a") == ["a"]


def run_cap(nb: Notebook) -> None:
    """A cell whose end always brings its own writer back: the shell says so each time."""
    nb.put_all({"a": "x = 1", "b": "y = x"})
    nb.step(RunRequested(run_id="one", cell_ids=("a",)))
    turns: list[str] = []
    while nb.waiting is not None and len(turns) < 20:
        cell, nb.waiting = nb.waiting.cell_id, None
        turns.append(cell)
        nb.scheduler.state.forks["x", "a"] = {"a", "b"}
        nb.step(CellFinished(cell_id=cell, outcome="success", recalled=frozenset({("x", "a")})))
    assert max(turns.count("a"), turns.count("b")) <= 3, turns
    assert "run_cap" in {r.code for c in "ab" if (r := nb.scheduler.cell(c).reason) is not None}


def failure_removes(nb: Notebook) -> None:
    cells("x = 1; 1 / 0")(nb)
    assert "x" not in nb.user


def no_fallback(nb: Notebook) -> None:
    cells("x = 1", "x = 1 / 0")(nb)
    assert "x" not in nb.user


def failed_not_pulled(nb: Notebook) -> None:
    cells("x = 1 / 0", "y = x")(nb)
    assert nb.run("b") == []


def cutoff_whole(nb: Notebook) -> None:
    nb.step(SettingsChanged(cutoff=True))
    cells("n = 5", "x = [1]\ny = (x, n)", "print(n, x is y[0])")(nb)
    nb.put("a", "n = 6")
    nb.run("a")
    as_script(nb)


def imports_exempt(nb: Notebook) -> None:
    cells("import types as lib", "y = lib.__name__", "lib.tail = 1")(nb)
    assert nb.scheduler.state.graph.writers["lib"] == ["a"]


def edited_not_pulled(nb: Notebook) -> None:
    cells("x = 1", "y = x")(nb)
    nb.put("a", "x = 1 / 0")
    assert nb.run("b") == ["b"]


def unasked(nb: Notebook) -> None:
    nb.put("a", "x = 1")
    nb.put("b", "y = x", mode="manual")
    assert nb.run("a") == ["a"]


def disabled(nb: Notebook) -> None:
    nb.put("a", "x = 1")
    nb.put("b", "y = x", mode="disabled")
    nb.put("c", "z = y")
    assert nb.run("a") == ["a"]


def coalescing(nb: Notebook) -> None:
    nb.put_all({"a": "x = 1", "b": "y = x"})
    nb.request("a")
    nb.request("b")
    nb.request("b")
    nb.finish_all()
    assert nb.runs == ["a", "b"]


def lazy(nb: Notebook) -> None:
    cells("x = 1", "y = x")(nb)
    nb.step(SettingsChanged(lazy=True))
    assert nb.run("a") == ["a"]
    assert nb.status("b") == "stale"


def undo(nb: Notebook) -> None:
    cells("x = 1", "y = x")(nb)
    nb.put("a", "x = 2")
    nb.put("a", "x = 1")
    as_script(nb)


def deletion_runs(nb: Notebook) -> None:
    cells("x = 1", "y = x")(nb)
    assert nb.remove("a") == ["b"]
    assert nb.error["b"] == "NameError: name 'x' is not defined"


RULES: dict[str, Play] = {
    "builtin_never_below": builtin_never_below,
    "own_never_below": own_never_below,
    "may_bind_passes": may_bind_passes,
    "call_time": call_time,
    "versions": versions,
    "spent": spent,
    "made_again_at_rest": made_again_at_rest,
    "copies": copies,
    "copies_recalled": copies_recalled,
    "sharing": sharing_found,
    "parts": parts,
    "readers_then": readers_then,
    "same_import": same_import,
    "order_only": order_only,
    "call_below_dropped": call_below_dropped,
    "unbinds_first": unbinds_first,
    "failed_change_spends": failed_change_spends,
    "sharers_stay": sharers_stay,
    "pulls": pulls,
    "skip_fresh": skip_fresh,
    "run_cap": run_cap,
    "failure_removes": failure_removes,
    "no_fallback": no_fallback,
    "failed_not_pulled": failed_not_pulled,
    "cutoff_whole": cutoff_whole,
    "imports_exempt": imports_exempt,
    "edited_not_pulled": edited_not_pulled,
    "unasked": unasked,
    "disabled": disabled,
    "coalescing": coalescing,
    "lazy": lazy,
    "undo": undo,
    "deletion_runs": deletion_runs,
}


def test_every_rule_is_here() -> None:
    assert set(RULES) == set(Rules.__dataclass_fields__)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds_and_its_absence_shows(rule: str) -> None:
    RULES[rule](Notebook())
    with pytest.raises((AssertionError, KeyError)):
        RULES[rule](Notebook(rules=Rules(**{rule: False}), checked=False))
