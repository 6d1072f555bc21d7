"""Plans and runs of small notebooks; the random ones are in test_law.py. A plan with a defect must be noticed."""

import pytest
from msgspec.structs import replace

from tailrace_protocol.objects import CellMode
from tests.kernel.dataflow import Notebook
from tests.kernel.foretold import Foretold

CELLS = {"a": "x = [[1]]", "b": "n = len(x)", "c": "x.append([2])", "d": "print(x)"}


def notebook() -> Notebook:
    nb = Notebook()
    nb.put_all(CELLS)
    nb.run(mode="all")
    return nb


def test_a_run_does_what_its_plan_says() -> None:
    nb = notebook()
    foretold = Foretold(nb, ("c",), "reactive")
    assert foretold.plan.made_again == ("a",)
    executed = nb.run("c")
    assert not foretold.surprised()
    assert foretold.differs(executed) is None
    assert executed == ["a", "b", "c", "d"]


@pytest.mark.parametrize("order", [("a", "b", "c"), ("a", "b", "d", "c"), ("b", "c", "d")])
def test_a_plan_that_tells_something_else_is_noticed(order: tuple[str, ...]) -> None:
    nb = notebook()
    foretold = Foretold(nb, ("c",), "reactive")
    foretold.plan = replace(foretold.plan, order=order)
    assert foretold.differs(nb.run("c")) is not None


def test_a_plan_that_does_not_tell_what_is_made_again_is_noticed() -> None:
    nb = notebook()
    foretold = Foretold(nb, ("c",), "reactive")
    foretold.plan = replace(foretold.plan, made_again=())
    assert foretold.differs(nb.run("c")) is not None


@pytest.mark.parametrize("mode", ["manual", "disabled"])
def test_a_plan_leaves_out_who_needs_a_cell_that_may_not_run(mode: CellMode) -> None:
    nb = Notebook()
    nb.put("a", "x = 1", mode=mode)
    nb.put("b", "y = x")
    nb.put("c", "z = y")
    assert nb.scheduler.plan(["c"]).order == ()
    assert nb.run("c") == []


def test_a_plan_leaves_out_who_needs_the_spent_value_of_a_cell_in_a_cycle() -> None:
    nb = notebook()
    nb.put("a", "x = [[later]]")
    nb.put("e", "later = x", index=1)
    assert nb.scheduler.cycles() == (("a", "e"),)
    assert nb.scheduler.plan(["c"], "single").order == ()
    assert nb.run("c", mode="single") == []


def test_a_name_shared_no_more_leaves_no_reader_behind() -> None:
    nb = Notebook()
    nb.put_all({"a": "v = w = []", "b": "w += [3]", "c": "v.append(1)"})
    nb.run(mode="all")
    nb.put("new", "v = []", index=2)
    nb.run("new")
    assert nb.scheduler.plan(["b"]).order == ("a", "b")


def test_who_needs_a_value_from_below_gets_it_before_it_is_changed() -> None:
    nb = Notebook()
    nb.put_all({"a": "y = x", "b": "y.append([1])", "c": "x = [[0]]", "d": "print(x)"})
    first = nb.run(mode="all")
    assert first[-2:] == ["d", "b"]
    assert nb.all_fresh()
    assert nb.output["d"] == "[[0]]\n"
    foretold = Foretold(nb, ("d",), "reactive")
    executed = nb.run("d")
    assert executed == ["c", "a", "d", "b"]
    assert foretold.differs(executed) is None


def test_a_reader_that_waits_for_the_change_itself_ends_at_the_cap() -> None:
    """No order exists in which all get what they need; the last one to wait says who changes what."""
    nb = Notebook()
    nb.put_all({"a": "y = x", "b": "y.append([2]); n = 1", "c": "x = [[0]]", "d": "m = len(x) + n"})
    assert nb.run(mode="all").count("c") == 3
    assert nb.status("d") == "stale"
    reason = nb.scheduler.cell("d").reason
    assert reason is not None
    assert reason.code == "run_cap"
    assert "cell b changes x in place" in str(reason.message)


def test_a_plan_leaves_out_who_needs_what_a_failed_cell_behind_a_cycle_would_give() -> None:
    nb = Notebook()
    nb.put_all({"p": "q = 1", "a": "v = 1 / 0", "x": "m = v + q", "y": "print(m)"})
    nb.run(mode="all")
    nb.put("a", "v = z")
    nb.put("b", "z = v")
    assert nb.scheduler.cycles()
    assert nb.scheduler.plan(nb.scheduler.order(), "all").order == ("p",)
    assert nb.run(mode="all") == ["p"]


def test_a_cell_that_must_be_made_again_runs_in_its_place_though_it_is_fresh() -> None:
    nb = Notebook(copies=False)
    nb.put_all({"z": "n = 4; q = 1", "y": "for i in [1]: n = i", "a": "x = [n]", "p": "print(q)", "b": "x.append(q)"})
    nb.run(mode="all")
    foretold = Foretold(nb, ("z",), "reactive")
    executed = nb.run("z")
    assert executed == ["z", "a", "p", "b"]
    assert foretold.differs(executed) is None
