"""The dataflow machine, driven by small notebooks that really run their cells."""

import pytest

from tailrace_kernel.agenda import Agenda, Entry
from tailrace_kernel.stimuli import CellSkipped, GraphChanged, RunFinished, RunStarted, StatusChanged
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.kernel_messages import KernelReason
from tests.kernel.dataflow import Notebook


def notebook(*cells: str, run: bool = True) -> Notebook:
    """Cells a, b, c … with these texts."""
    nb = Notebook()
    nb.put_all({chr(97 + i): code for i, code in enumerate(cells)})
    if run:
        nb.run(mode="all")
    return nb


def test_an_edit_runs_nothing_and_a_run_reaches_the_readers() -> None:
    nb = notebook("x = 5", "y = x + 1")
    assert nb.value("y") == 6
    nb.put("a", "x = 10")
    assert nb.value("y") == 6
    assert nb.statuses() == {"a": "stale", "b": "stale"}
    assert nb.run("a") == ["a", "b"]
    assert nb.value("y") == 11
    assert nb.statuses() == {"a": "success", "b": "success"}


def test_deleting_a_cell_that_never_ran_runs_nothing() -> None:
    nb = notebook("x = 1", "y = x")
    nb.put("new", "x = 2", index=1)
    assert nb.status("b") == "stale"
    assert nb.remove("new") == []
    assert nb.statuses() == {"a": "success", "b": "success"}


def test_deleting_a_cell_runs_no_text_that_never_ran() -> None:
    nb = notebook("x = 1", "y = 2")
    nb.put("b", "y = x")
    assert nb.remove("a") == []
    assert nb.status("b") == "stale"


def test_undoing_an_edit_makes_fresh_again() -> None:
    nb = notebook("x = 5", "y = x + 1")
    nb.put("a", "x = 10")
    nb.put("a", "x = 5")
    assert nb.statuses() == {"a": "success", "b": "success"}


def test_deletion_reruns_the_readers_and_their_descendants_fail() -> None:
    nb = notebook("a = 5", "b = a * 2", "c = b + 1", "free = 1")
    assert nb.remove("a") == ["b"]
    assert nb.error["b"] == "NameError: name 'a' is not defined"
    assert nb.error["c"] == "UpstreamError: name 'b' is not defined: cell b, which writes it, failed"
    assert nb.statuses() == {"b": "error", "c": "error", "d": "success"}
    assert set(nb.user) - {"__builtins__", "__name__"} == {"free"}


def test_deletion_rebinds_to_another_writer() -> None:
    nb = notebook("x = 1", "x = 2", "y = x")
    assert nb.remove("b") == ["c"]
    assert nb.value("y") == 1
    assert nb.value("x") == 1


def test_a_cycle_blocks_its_cells_and_nobody_else() -> None:
    nb = notebook("x = 1", "y = 2", "z = 3")
    nb.put("a", "x = y + 1")
    assert nb.status("a") == "stale"
    nb.put("b", "y = x + 1")
    assert nb.statuses() == {"a": "blocked", "b": "blocked", "c": "success"}
    said = nb.scheduler.cell("a").diagnostics[0]
    assert said.cells == ("a", "b")
    assert said.names == ("x", "y")
    assert nb.run("a", "b") == []
    nb.put("b", "y = 7")
    assert nb.statuses() == {"a": "stale", "b": "stale", "c": "success"}
    assert nb.run("b") == ["b", "a"]
    assert nb.value("x") == 8


def test_a_renamed_variable_is_gone_and_its_readers_fail() -> None:
    nb = notebook("x = 1", "y = x + 1")
    nb.put("a", "z = 1")
    assert nb.run("a") == ["a", "b"]
    assert "x" not in nb.user
    assert nb.error["b"] == "NameError: name 'x' is not defined"


def test_three_edited_cells_run_once_in_their_newest_version() -> None:
    nb = notebook("x = 1", "y = x", "z = y")
    nb.put("a", "x = 10")
    nb.put("b", "y = x + 1")
    nb.put("c", "z = y + 1")
    assert nb.run("a") == ["a", "b", "c"]
    assert nb.value("z") == 12


def test_events_of_one_run_come_in_order() -> None:
    nb = notebook("x = 1", "y = x", run=False)
    nb.events.clear()
    nb.run("a")
    kinds = [
        (e.cell_id, e.status) if isinstance(e, StatusChanged) else type(e).__name__
        for e in nb.events
        if not isinstance(e, GraphChanged)
    ]
    assert kinds == [
        "RunStarted",
        ("a", "queued"),
        ("b", "queued"),
        ("a", "running"),
        ("a", "success"),
        "VariablesChanged",
        ("b", "running"),
        ("b", "success"),
        "VariablesChanged",
        "RunFinished",
    ]
    started = next(e for e in nb.events if isinstance(e, RunStarted))
    assert started.plan == ("a", "b")
    finished = next(e for e in nb.events if isinstance(e, RunFinished))
    assert (finished.status, finished.success, finished.error, finished.skipped) == ("success", 2, 0, 0)


def test_every_status_says_why() -> None:
    nb = notebook("x = 1", "y = x")
    why = {e.cell_id: e.reason for e in nb.events if isinstance(e, StatusChanged) and e.status == "queued"}
    assert why["a"] is not None
    assert why["a"].code == "requested"
    nb.put("a", "x = 2")
    edited = nb.scheduler.cell("a").reason
    follows = nb.scheduler.cell("b").reason
    assert edited is not None
    assert edited.code == "edited"
    assert follows is not None
    assert (follows.code, follows.names, follows.from_cells) == ("inputs_changed", ("x",), ("a",))
    nb.run("a")
    ran = nb.scheduler.cell("b").reason
    assert ran is not None
    assert (ran.code, ran.names, ran.from_cells) == ("upstream_ran", ("x",), ("a",))


def test_single_runs_one_cell_and_leaves_its_readers_stale() -> None:
    nb = notebook("x = 1", "y = x", "z = y")
    nb.put("a", "x = 2")
    assert nb.run("a", mode="single") == ["a"]
    assert nb.statuses() == {"a": "success", "b": "stale", "c": "stale"}
    assert nb.run(mode="stale") == ["b", "c"]


def test_a_never_computed_writer_is_pulled_and_an_edited_one_is_not() -> None:
    nb = notebook("x = 1", "y = x", run=False)
    assert nb.run("b", mode="single") == ["a", "b"]
    nb.put("a", "x = 2")
    assert nb.run("b") == ["b"]
    assert nb.value("y") == 1
    assert nb.status("b") == "stale"


def test_a_failed_cell_is_not_pulled_while_unchanged() -> None:
    nb = notebook("x = 1 / 0", "y = x")
    assert nb.statuses() == {"a": "error", "b": "error"}
    assert nb.run("b") == []
    nb.put("a", "x = 1")
    assert nb.run("b") == ["a", "b"]


def test_nobody_falls_back_to_a_writer_above_a_failed_one() -> None:
    nb = notebook("x = 1", "x = 1 / 0", "y = x")
    assert "x" not in nb.user
    assert nb.status("c") == "error"


def test_rerunning_a_cell_that_reads_what_it_writes_gives_the_same() -> None:
    nb = notebook("x = 1", "x = x + 1", "y = x")
    nb.run("b")
    nb.run("b")
    assert nb.value("x") == 2
    assert nb.run("a") == ["a", "b", "c"]
    assert nb.value("y") == 2


def test_a_name_with_nothing_above_does_not_bind_below_itself() -> None:
    nb = notebook("x = x + 1")
    assert nb.error["a"] == "NameError: name 'x' is not defined"
    nb = notebook("n = sum([1, 2])", "sum = 0")
    assert nb.value("n") == 3


def test_cells_in_any_order() -> None:
    nb = notebook("y = x + 1", "x = 1")
    assert nb.runs == ["b", "a"]
    assert nb.value("y") == 2


def test_manual_cells_run_only_when_named() -> None:
    nb = notebook("x = 1", "y = x", "z = y")
    nb.put("b", "y = x", mode="manual")
    assert nb.run("a") == ["a"]
    assert nb.statuses() == {"a": "success", "b": "stale", "c": "stale"}
    assert nb.scheduler.cell("b").reason.code == "manual"  # type: ignore[union-attr]
    assert nb.run("b") == ["b", "c"]
    nb.put("d", "w = v")
    nb.put("e", "v = 1", mode="manual", index=0)
    assert nb.run("d") == []
    assert nb.status("d") == "stale"


def test_disabled_cells_and_what_depends_on_them_do_not_run() -> None:
    nb = notebook("x = 1", "y = x", "z = y", "w = x")
    nb.put("b", "y = x", mode="disabled")
    assert nb.status("b") == "disabled"
    assert nb.run("a") == ["a", "d"]
    assert nb.run("c") == []
    assert nb.scheduler.cell("c").reason.code == "disabled_upstream"  # type: ignore[union-attr]
    nb.put("b", "y = x")
    assert nb.status("b") == "stale"
    assert nb.run("b") == ["b", "c"]


def test_lazy_marks_instead_of_running() -> None:
    from tailrace_kernel.stimuli import SettingsChanged

    nb = notebook("x = 1", "y = x")
    nb.step(SettingsChanged(lazy=True))
    assert nb.run("a") == ["a"]
    assert nb.status("b") == "stale"


def test_requests_join_one_pending_set() -> None:
    nb = notebook("x = 1", "y = x", "z = y", run=False)
    nb.request("a", run_id="one")
    nb.request("b", run_id="two")
    nb.request("c", run_id="three")
    nb.finish_all()
    assert nb.runs == ["a", "b", "c"]
    assert [e.run_id for e in nb.events if isinstance(e, RunFinished)] == ["one", "two", "three"]


def test_a_request_for_the_running_cell_runs_it_again() -> None:
    nb = notebook("x = 1", "y = x", run=False)
    nb.request("a")
    nb.request("a")
    nb.finish_all()
    assert nb.runs == ["a", "a", "b"]


def test_a_pending_cell_is_taken_in_its_newest_version_or_dropped() -> None:
    nb = notebook("x = 1", "y = x", "z = y", run=False)
    nb.request("a")
    nb.put("b", "y = x + 5")
    nb.code.pop("c")
    from tailrace_kernel.stimuli import CellRemoved

    nb.step(CellRemoved(cell_id="c"))
    nb.finish_all()
    assert nb.runs == ["a", "b"]
    assert nb.value("y") == 6


def test_a_running_cell_that_is_edited_ends_stale_and_one_that_is_removed_leaves_nothing() -> None:
    nb = notebook("x = 1", "y = x", run=False)
    nb.request("a")
    nb.begin()
    nb.user["x"] = 1
    old = nb.code["a"]
    nb.put("a", "x = 2")
    nb.code["a"] = old
    nb.finish_all()
    assert nb.status("a") == "stale"
    nb = notebook("x = 1", "y = 1", run=False)
    nb.request("a")
    from tailrace_kernel.stimuli import CellRemoved

    nb.step(CellRemoved(cell_id="a"))
    nb.finish_all()
    assert "x" not in nb.user


def test_a_new_reader_extends_a_running_cascade() -> None:
    nb = notebook("x = 1", "y = x", run=False)
    nb.request("a")
    nb.put("c", "z = y")
    assert nb.status("c") == "queued"
    nb.finish_all()
    assert nb.runs == ["a", "b", "c"]


def test_interrupt_ends_the_cascade() -> None:
    nb = notebook("x = 1", "y = x", "z = 1", run=False)
    nb.request("a", "c", run_id="one")
    nb.interrupt("other")
    nb.interrupt("one")
    nb.finish("interrupted")
    assert nb.statuses() == {"a": "interrupted", "b": "error", "c": "interrupted"}
    assert nb.waiting is None
    finished = [e for e in nb.events if isinstance(e, RunFinished)]
    assert [f.status for f in finished] == ["interrupted"]
    assert nb.run("a") == ["a", "b"]


def test_a_fresh_descendant_is_skipped() -> None:
    nb = notebook("import math", "y = math.pi", "z = y")
    nb.events.clear()
    assert nb.run("a") == ["a"]
    assert [e.cell_id for e in nb.events if isinstance(e, CellSkipped)] == ["b", "c"]


def test_the_same_import_again_is_no_news_also_where_another_cell_imports_that_name() -> None:
    nb = notebook("import math as m", "x = m.pi", "import json as m", "y = m.__name__")
    assert nb.run("a") == ["a"]
    assert nb.all_fresh()
    assert nb.value("m").__name__ == "json"
    nb.put("a", "import cmath as m")
    assert nb.run("a") == ["a", "b"]
    assert (nb.value("y"), nb.all_fresh()) == ("json", True)


def test_readers_at_the_last_run_count_as_descendants() -> None:
    nb = notebook("x = 1", "y = x")
    nb.put("a", "w = 1")
    nb.put("b", "y = x")
    assert nb.run("a") == ["a", "b"]


def test_outside_effects_run_only_when_named() -> None:
    from dataclasses import replace

    from tailrace_kernel.analysis import analyze
    from tailrace_kernel.facts import Effect

    nb = notebook("x = 1", run=False)
    shell = replace(analyze("y = x"), effects=frozenset({Effect.SHELL}))
    nb.put("b", "y = x", shell)
    nb.put("c", "z = y")
    assert nb.run("a") == ["a"]
    assert nb.status("b") == "stale"
    assert nb.scheduler.cell("b").reason.code == "outside_effect"  # type: ignore[union-attr]
    assert nb.run("c") == []
    assert nb.run("b") == ["b", "c"]
    nb.put("b", "y = x", shell, allow_outside_effects=True)
    assert nb.run("a") == ["a", "b", "c"]


def test_moving_a_cell_rebinds_at_once() -> None:
    nb = notebook("x = 1", "x = 2", "y = x")
    nb.order("b", "a", "c")
    assert nb.value("x") == 1
    assert nb.statuses() == {"a": "success", "b": "success", "c": "stale"}
    assert nb.scheduler.cell("c").reason.code == "moved"  # type: ignore[union-attr]
    nb.order("a", "b", "c")
    assert nb.status("c") == "success"
    assert nb.value("x") == 2


def test_unparsable_code_keeps_the_last_good_facts() -> None:
    nb = notebook("x = 1", "y = x")
    edges = nb.scheduler.edges()
    nb.put("a", "x = (")
    assert nb.scheduler.edges() == edges
    assert nb.status("b") == "stale"


def test_a_plan_changes_nothing() -> None:
    nb = notebook("x = 1", "y = x", "z = x", "w = y + z")
    before = nb.statuses()
    plan = nb.scheduler.plan(["a"])
    assert plan.order == ("a", "b", "c", "d")
    assert plan.levels == (("a",), ("b", "c"), ("d",))
    assert plan.reasons["b"].code == "upstream_ran"
    assert plan.expected_seconds == pytest.approx(0.004)
    assert nb.statuses() == before
    assert nb.run("a") == ["a", "b", "c", "d"]


def test_a_plan_says_what_must_be_made_again_and_how_long_that_took() -> None:
    nb = notebook("x = []", "y = x", "x.append(1)", "free = 1")
    plan = nb.scheduler.plan(["c"])
    assert plan.order == ("a", "b", "c")
    assert plan.made_again == ("a", "b")
    assert plan.made_again_seconds == pytest.approx(0.002)
    assert plan.seconds == pytest.approx({"a": 0.001, "b": 0.001, "c": 0.001})
    assert plan.reasons["a"].message == "made again: cell c changes x in place"
    assert nb.run("c") == list(plan.order)
    without = nb.scheduler.plan(["d"])
    assert (without.order, without.made_again, without.made_again_seconds) == (("d",), (), None)


def test_unknown_cells_are_refused_and_nothing_runs() -> None:
    nb = notebook("x = 1", run=False)
    with pytest.raises(TailraceError) as caught:
        nb.request("a", "nope")
    assert caught.value.code == ErrorCode.UNKNOWN_CELL
    assert nb.waiting is None


def test_the_story_of_a_cell() -> None:
    nb = notebook("x = 1")
    assert [change.status for change in nb.scheduler.story("a")] == ["queued", "running", "success"]


def test_a_reader_of_a_stale_manual_cell_says_what_changed_and_not_that_somebody_edited() -> None:
    nb = Notebook()
    nb.put("a", "x = 1")
    nb.put("b", "y = x", mode="manual")
    nb.put("c", "z = y")
    nb.run(mode="all")
    nb.put("a", "x = 2")
    nb.run("a")
    assert nb.run("c") == ["c"]
    reason = nb.scheduler.cell("c").reason
    assert reason is not None
    assert (nb.status("c"), reason.code, reason.from_cells) == ("stale", "inputs_changed", ("b",))


def test_a_cell_that_ran_and_comes_back_under_another_rank_takes_that_place() -> None:
    """Its old place is forgotten with the change of the graph, though nothing was pending just then."""
    ranks = {"x": 1, "y": 2}
    agenda = Agenda(ranks.__getitem__)

    def pending() -> Entry:
        return Entry([], KernelReason(code="requested"), named=True, must=True, root=False, follow=False)

    agenda.add("x", pending())
    agenda.take("x")
    ranks["x"] = 3
    agenda.sort_anew()
    agenda.add("y", pending())
    agenda.add("x", pending())
    assert agenda.first() == "y"
