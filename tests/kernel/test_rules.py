"""Each rule of the dataflow semantics, switched off, breaks a small notebook that is right with it."""

from collections.abc import Callable

import pytest

from tailrace_kernel.rules import Rules
from tests.kernel.dataflow import Notebook
from tests.kernel.histories import pictures, script, sharing

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
}


def test_every_rule_is_here() -> None:
    assert set(RULES) == set(Rules.__dataclass_fields__)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds_and_its_absence_shows(rule: str) -> None:
    RULES[rule](Notebook())
    with pytest.raises((AssertionError, KeyError)):
        RULES[rule](Notebook(rules=Rules(**{rule: False}), checked=False))
