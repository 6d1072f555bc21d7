"""Objects behind the names: copies, budget, cut-off, sharing, opaque cells."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tailrace_kernel.equality import Equality
from tailrace_kernel.sharing import flat, immutable, parts
from tailrace_kernel.stimuli import SettingsChanged
from tests.kernel.dataflow import Notebook

INNER: list[int] = []
TWICE = [INNER, INNER]


def notebook(*cells: str, **more: Any) -> Notebook:
    nb = Notebook(**more)
    nb.put_all({chr(97 + i): code for i, code in enumerate(cells)})
    nb.run(mode="all")
    return nb


def cut_off(*cells: str, **more: Any) -> Notebook:
    nb = Notebook(**more)
    nb.step(SettingsChanged(cutoff=True))
    nb.put_all({chr(97 + i): code for i, code in enumerate(cells)})
    nb.run(mode="all")
    return nb


@pytest.mark.parametrize("copies", [True, False])
def test_running_a_change_again_changes_once(copies: bool) -> None:
    nb = notebook("x = [1]", "n = len(x)", "x.append(2)", copies=copies)
    ran = nb.run("c")
    assert ran == (["c"] if copies else ["a", "b", "c"])
    assert nb.value("x") == [1, 2]
    assert nb.value("n") == 1


def test_a_change_that_fails_half_way_spends_the_version() -> None:
    nb = notebook("x = [1]", "y = x", "x.append(2); 1 / 0")
    assert nb.status("c") == "error"
    nb.put("c", "x.append(3)")
    assert nb.run("c") == ["a", "b", "c"]
    assert nb.value("y") == [1, 3]


def test_a_change_that_fails_keeps_what_it_found_to_share() -> None:
    nb = notebook("x = y = [3]", "x.sort()\nmissing")
    for _ in range(3):
        assert nb.run(mode="all") == ["a", "b"]
        assert nb.scheduler.state.graph.learned == {"b": {"y"}}


def test_a_failing_cell_that_changes_a_part_it_attached_spends_the_version() -> None:
    nb = notebook("x = [1]", "y = []", "y.__init__([x]); y[0].append(2); 1 / 0")
    nb.put("c", "y.append(3)")
    nb.run("c")
    assert (nb.value("x"), nb.value("y")) == ([1], [3])


def test_a_change_that_reads_something_else_recalls_no_copy_of_it() -> None:
    nb = notebook("x = [1]", "out = []", "out.append(len(x))", "x.append(2)")
    assert nb.run("c") == ["c"]
    nb = notebook("x = [1]", "exec('n = len(x)')", "x.append(2)")
    assert nb.run("b") == ["b"]


def test_what_a_failed_cell_bound_keeps_no_original() -> None:
    nb = notebook("x = [1]", "z = 0", "x.append(2)")
    nb.put("b", "y = x\nmissing")
    assert nb.run("b") == ["b"]
    assert nb.status("c") == "success"


def test_a_cell_that_works_on_no_copy_any_more_is_not_recalled() -> None:
    nb = notebook("x = [1]", "z = 0", "x.append(2)", "k = 0")
    nb.put("c", "n = 1")
    nb.run("c")
    nb.put("b", "y = x")
    assert nb.run("b") == ["b"]
    assert nb.statuses()["c"] == "success"


def test_a_recalled_cell_does_not_run_a_text_that_never_ran() -> None:
    nb = notebook("x = [1]", "y = 0", "x.append(2)")
    nb.put("c", "z = [0]")
    nb.put("b", "y = x")
    assert nb.run("b") == ["b"]
    assert nb.status("c") == "stale"


def test_a_version_that_is_just_let_go_hinders_no_copy() -> None:
    nb = notebook("y = [2]", "y, z = 0, y", "z.append(1)", "z.append(3)")
    assert nb.run("d") == ["d"]
    assert nb.value("z") == [2, 1, 3]


def test_a_cell_in_a_cycle_has_nothing_made_again() -> None:
    nb = notebook("x = [[1]]", "x.append([2])")
    nb.put("b", "x.append([later])")
    nb.put("c", "later = x")
    assert nb.status("b") == "blocked"
    assert nb.run("b") == []


def test_a_name_that_is_shared_no_more_goes_back_to_its_writer() -> None:
    nb = notebook("z = [1]", "y = z", "y.append(2)")
    nb.put("b", "y = [5]")
    nb.run(mode="stale")
    assert nb.scheduler.owner("z") == "a"
    nb.put("d", "z.append(3)")
    nb.run("d")
    assert nb.run("d") == ["d"], "on a copy: nobody else holds it"
    assert nb.value("z") == [1, 3]


def test_a_deleted_change_brings_no_cell_that_was_stale_for_another_reason() -> None:
    nb = notebook("n = 0", "p = n", "class K: pass\nm = 1", "print(m, p)", "K.v = 4")
    nb.run("a", mode="single")
    assert nb.remove("e") == ["c"]
    assert (nb.status("b"), nb.status("d")) == ("stale", "stale")


def test_a_name_stays_until_the_cell_that_shall_write_it_runs() -> None:
    nb = notebook("x = 1", "y = 2")
    nb.put("b", "x = 3")
    assert nb.value("x") == 1
    nb.put("c", "x = 4")
    assert nb.value("x") == 1
    nb.run("b")
    assert nb.value("x") == 3


def test_made_again_says_by_whom() -> None:
    nb = notebook("x = [1]", "y = x", "x.append(2)")
    why = nb.scheduler.plan(["c"]).reasons["a"]
    assert why.code == "made_again"
    assert why.message == "made again: cell c changes x in place"


def test_a_deleted_change_is_taken_back_without_readers() -> None:
    nb = notebook("x = [1]; y = x", "x.append(2)")
    assert nb.remove("b") == ["a"]
    assert nb.value("x") == [1]


def test_no_budget_gives_the_same_values() -> None:
    nb = notebook("x = [1]", "x.append(2)", "x = x + [3]", "n = len(x)", budget=0)
    assert not [v for v in nb.namespace.aside if nb.scheduler.owner(v[0]) != v[1]]
    assert nb.run("b") == ["a", "b", "c", "d"]
    assert nb.value("x") == [1, 2, 3]


def test_a_version_that_shares_an_object_is_not_let_go() -> None:
    nb = notebook("w = v = [1]", "v = v + [0]", "n = 0", budget=0)
    assert ("v", "a") in nb.namespace.aside
    nb.put("d", "w.append(4)", index=1)
    nb.run("d")
    assert nb.value("v") == [1, 4, 0]


def test_an_instance_is_not_let_go_while_its_class_can_change() -> None:
    nb = notebook("class T: size = 1", "t = T()", "n = t.size", "t = T()", budget=0)
    nb.put("e", "T.size = 3", index=2)
    nb.run("e")
    assert nb.value("n") == 3


def test_a_name_bound_anew_in_the_run_that_changes_what_it_shared_keeps_its_new_object() -> None:
    nb = notebook("m = 4", "m = m + 0", "v = w = [0]", "if m % 2: w = [2]\nv[:1] = [7]")
    assert nb.value("w") == [7]
    nb.put("b", "m = m + 1")
    nb.run("b")
    assert (nb.value("v"), nb.value("w")) == ([7], [2])


def test_a_name_deleted_in_the_run_that_changes_what_it_shared_stays_deleted() -> None:
    nb = notebook("m = 4", "v = w = [0]", "v[:1] = [7]\nif m % 2: del w")
    assert nb.value("w") == [7]
    nb.put("a", "m = 5")
    nb.run("a")
    assert nb.value("v") == [7]
    assert "w" not in nb.user


def test_a_cell_that_shares_no_more_reads_the_name_again_in_the_same_cascade() -> None:
    nb = notebook("class T: size = 1\nt = T()", "T.size = 3\nm = t.size")
    assert nb.value("m") == 3
    nb.put("c", "class T: pass", index=1)
    nb.run("c", mode="single")
    nb.request("b")
    while nb.waiting is None or nb.waiting.cell_id != "b":
        nb.finish()
    nb.request("b")
    nb.finish_all()
    assert nb.runs[-3:] == ["b", "c", "b"]
    assert nb.error == {}
    assert nb.value("m") == 1


def test_two_versions_of_one_name_share_a_class_and_each_run_finds_both() -> None:
    nb = notebook("class T: size = 1", "t = T()", "T.size = 2", "t = T()", "T.size = 0")
    assert nb.run(mode="all") == ["a", "b", "c", "d", "e"]
    assert nb.all_fresh()
    assert nb.value("t").size == 0


def test_a_change_moved_above_a_rebinding_finds_what_it_shares_there() -> None:
    nb = notebook("u = v = [0]", "v = sorted(v)", "u.append(1)")
    assert nb.value("v") == [0]
    nb.order("a", "c", "b")
    assert nb.status("c") == "stale"
    nb.run(mode="stale")
    assert nb.all_fresh()
    assert nb.value("v") == [0, 1]


def test_a_rebinding_removed_between_two_shared_names_makes_the_change_stale() -> None:
    nb = notebook("u = v = [0]", "v = sorted(v)", "u.append(1)", "n = len(v)")
    assert nb.value("n") == 1
    nb.remove("b")
    nb.run(mode="stale")
    assert nb.all_fresh()
    assert (nb.value("n"), nb.value("v")) == (2, [0, 1])


def test_a_change_moved_above_what_it_changed_has_that_made_again() -> None:
    nb = notebook("w = []", "w = [2, 1]", "y = w", "w.append(3)")
    nb.order("a", "d", "b", "c")
    nb.run("d", mode="single")
    assert not nb.all_fresh()
    nb.run(mode="stale")
    assert nb.all_fresh()
    assert (nb.value("w"), nb.value("y")) == ([2, 1], [2, 1])


def test_a_change_edited_and_then_deleted_is_taken_back() -> None:
    nb = notebook("x = [1]", "y = x", "x.append(2)")
    nb.put("c", "z = 1")
    assert nb.remove("c") == ["a", "b"]
    assert nb.all_fresh()
    assert nb.value("y") == [1]


def test_cut_off_leaves_readers_of_equal_values_alone() -> None:
    nb = notebook("x = 5", "y = x > 3", "z = y")
    nb.put("a", "x = 6")
    assert nb.run("a") == ["a", "b", "c"]
    nb.step(SettingsChanged(cutoff=True))
    nb.put("a", "x = 7")
    assert nb.run("a") == ["a", "b"]
    assert nb.all_fresh()


def test_cut_off_keeps_equal_containers_bound() -> None:
    nb = cut_off("x = 5", "y = [x > 3]", "z = y")
    kept = nb.value("y")
    nb.put("a", "x = 7")
    assert nb.run("a") == ["a", "b"]
    assert nb.value("y") is kept
    assert nb.value("z") is kept


@pytest.mark.parametrize("options", [{}, {"copies": False}, {"budget": 0}])
def test_cut_off_keeps_no_object_that_others_hold(options: dict[str, Any]) -> None:
    """`alias` is `data` in a script, whatever is equal."""
    for again in "abc":
        nb = cut_off("data = [1]", "data.append(2)", "alias = data", **options)
        nb.run(again)
        assert nb.all_fresh()
        assert nb.value("alias") is nb.value("data")


@pytest.mark.parametrize(
    ("before", "after"), [("y = [x]", "y = [[1]]"), ("y = [[1]]", "y = [x]"), ("y = x", "y = [1]")]
)
def test_cut_off_sees_that_an_object_is_another_cells_no_more_or_now(before: str, after: str) -> None:
    nb = cut_off("x = [1]", before, "print(y is x, y[0] is x)")
    nb.put("b", after)
    assert nb.run("b") == ["b", "c"]
    assert nb.output["c"] == cut_off("x = [1]", after, "print(y is x, y[0] is x)").output["c"]


def test_cut_off_compares_names_of_a_cell_together() -> None:
    nb = cut_off("x = []; y = x", "print(x is y)")
    nb.put("a", "x = []; y = []")
    assert nb.run("a") == ["a", "b"]
    assert nb.output["b"] == "False\n"


def test_what_an_opaque_cell_binds_is_seen_after_its_run() -> None:
    nb = notebook("n = 2", "exec('m = n * 2')", "k = m + 1")
    assert nb.scheduler.state.graph.reach["b"].opaque
    assert nb.value("k") == 5
    assert nb.run("b") == ["b", "c"]
    assert nb.all_fresh()
    nb.put("a", "n = 3")
    assert nb.run("a") == ["a", "b", "c"]
    assert nb.value("k") == 7


def test_objects_behind_a_value() -> None:
    inner: list[int] = []

    class Box:
        pass

    box = Box()
    box.inner = inner  # type: ignore[attr-defined]
    assert id(inner) in parts([{"k": (inner,)}], classes=True)
    assert id(inner) in parts([box], classes=True)
    assert id(inner) in parts([iter(inner)], classes=True)
    assert parts([1, "a", (2, 3), len], classes=True) == {}


@pytest.mark.parametrize(
    ("value", "is_flat", "is_immutable"),
    [
        ([1, "a"], True, False),
        ([[]], False, False),
        ((1, (2,)), False, True),
        ({"a": 1}, True, False),
        (1, False, True),
    ],
)
def test_what_may_be_copied_and_what_never_changes(value: object, is_flat: bool, is_immutable: bool) -> None:
    assert (flat(value), immutable(value)) == (is_flat, is_immutable)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        (0.0, -0.0, False),
        (float("nan"), float("nan"), True),
        ([1, (2, "a")], [1, (2, "a")], True),
        ([1], [True], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({1, 2}, {2, 1}, True),
        ({1, 9}, {1.0, 9}, False),
        ({8, 0}, {0, 8}, False),  # they print in another order
        (range(0, 3, 2), range(0, 4, 2), False),
        (TWICE, [[], []], False),
        ([[], []], TWICE, False),
        ([[], []], [[], []], True),
        (np.zeros((2, 3)), np.zeros((2, 3)), True),
        (np.zeros((2, 3)), np.zeros((3, 2)).T, False),
        (np.array([0.0]), np.array([-0.0]), False),
        (pd.Series([1, "a", None]), pd.Series([1, "a", None]), True),
        (pd.Series([1, "a", None]), pd.Series([True, "a", None]), False),
        (pd.Series([1, "a", None]), pd.Series([1, "a", float("nan")]), False),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}), True),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1]}, index=[0]), False),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]}), False),
        (pd.DataFrame({"a": ["x"]}), pd.DataFrame({"a": ["x"]}), True),
    ],
)
def test_equality_is_exact(old: object, new: object, same: bool) -> None:
    assert Equality().holds(old, new) is same


def test_a_name_it_may_bind_and_changes_through_sharing_stays_bound() -> None:
    nb = notebook("v = [1, 2]", "s = iter(v)", "if len([]): v = [3]\nn = next(s, 0)")
    assert nb.value("v") == [1, 2]
    assert nb.scheduler.state.graph.learned["c"] == {"v"}
    assert nb.all_fresh()


@pytest.mark.parametrize(
    ("made", "change", "last", "shown"),
    [
        ("class Thing:\n    size = 1\nt = Thing()", "Thing.size = 4", "print(t.size)\nt.name = 'x'", "4\n"),
        ("class Thing:\n    size = 1\nts = [Thing()]", "Thing.size = 4", "print(ts[0].size)\nts.append(1)", "4\n"),
        ("x = [1]; y = [x]", "x.append(2)", "print(y)\ny.append(3)", "[[1, 2]]\n"),
        ("x = [1]; z = [2]; y = [x, z]", "x.append(3)", "print(y)\nz.append(4)", "[[1, 3], [2]]\n"),
    ],
)
def test_a_change_finds_what_shares_it_though_a_cell_below_has_changed_that_by_now(
    made: str, change: str, last: str, shown: str
) -> None:
    nb = notebook(made, "", last)
    nb.put("b", change)
    assert nb.run("b")[-3:] == ["a", "b", "c"]
    assert nb.all_fresh()
    assert nb.output["c"] == shown
    nb.run("b")
    assert nb.output["c"] == shown


def test_a_change_stands_again_when_what_it_would_share_is_written_no_more() -> None:
    nb = Notebook(checked=True)  # what is derived is computed anew after each step, and compared
    nb.put_all({"z": "w = []", "a": "w = [1]", "b": "s = iter(w)", "c": "w = [2]", "d": "n = next(s, 4)"})
    nb.run(mode="all")
    nb.order("z", "b", "c", "a", "d")
    assert nb.status("d") == "stale"
    nb.put("a", "print(2)")
    assert nb.status("d") == "stale"
    nb.run(mode="stale")
    assert nb.all_fresh()
    assert nb.value("n") == 4


def test_a_name_bound_and_deleted_in_the_run_that_changes_what_it_shared_stays_deleted() -> None:
    nb = notebook("z = [3]", "y = z", "y.sort()\nz = [1]\ndel z")
    assert nb.all_fresh()
    assert "z" not in nb.user
    nb.run("c")
    assert "z" not in nb.user


def test_a_cell_that_failed_before_it_bound_a_name_has_changed_nothing_under_it() -> None:
    nb = notebook("w = []", "k = 1", "w = nowhere(k)\nw.append(2)")
    assert nb.status("c") == "error"
    nb.put("b", "k = 2")
    assert nb.run("b") == ["b", "c"]


def test_a_name_that_was_changed_through_sharing_and_is_now_by_a_call_is_spent_by_that_run() -> None:
    nb = notebook("w = [1]", "v = w", "def f(): return 1", "w.sort(); f()", copies=False)
    nb.put("b", "v = [2]")
    nb.put("c", "def f(): v.append(1)")
    nb.run(mode="all")
    assert nb.value("v") == [2, 1]
    nb.run("d")
    assert nb.value("v") == [2, 1]


def test_a_change_does_not_find_what_was_put_together_below_it() -> None:
    nb = notebook("pair = [[4]]", "w = []", "u = [1]", "pair[0].append(1)\npair = [w, u]", "u.sort()", copies=False)
    nb.put("new", "w.append(0)", index=3)
    nb.run("new")
    assert nb.all_fresh(), nb.error
    assert nb.value("pair") == [[0], [1]]
