"""The pure core: commands, refusals, undo per client, merges, and two clients that converge."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from tailrace_gateway.answers import Answers
from tailrace_gateway.document import Applied, Refused, analysed, commit, replace_cells, replay, step
from tailrace_gateway.fold import fold
from tailrace_gateway.history import MAX_BYTES, MAX_STEPS
from tailrace_gateway.records import Entry, Record, StoredCell
from tailrace_gateway.state import NotebookState, from_image, from_snapshot, image, open_state, snapshot
from tailrace_protocol import code_hash, document_hash
from tailrace_protocol.commands import (
    CellText,
    CellUpdate,
    CreateCell,
    DeleteCell,
    DocumentCommand,
    KernelCommand,
    MoveCell,
    Redo,
    RunAll,
    RunCell,
    SetCell,
    SetNotebook,
    Undo,
    UpdateCells,
)
from tailrace_protocol.errors import ErrorCode
from tailrace_protocol.events import CellUpdated
from tailrace_protocol.limits import IDEMPOTENT_IDS, MAX_CELLS, MAX_CODE
from tailrace_protocol.objects import NotebookInfo, Settings

INFO = NotebookInfo(id="n1", path="n1.py", name="n1", settings=Settings())


def notebook(*codes: str) -> NotebookState:
    return open_state(INFO, [StoredCell(id=f"c{i}", type="python", code=code) for i, code in enumerate(codes)])


class Client:
    """Sends commands with fresh ids and takes the outcome."""

    def __init__(self, state: NotebookState, name: str = "ann") -> None:
        self.state, self.name, self.sent = state, name, 0
        self.records: list[Record] = []

    def try_(self, kind: type[Any], /, **fields: Any) -> Applied | Refused:
        self.sent += 1
        command: DocumentCommand | KernelCommand = kind(id=f"{self.name}-{self.sent}", **fields)
        outcome = step(self.state, command, self.name)
        if isinstance(outcome, Applied):
            commit(self.state, outcome)
            self.records.append(outcome.record)
        return outcome

    def do(self, kind: type[Any], /, **fields: Any) -> Applied:
        outcome = self.try_(kind, **fields)
        assert isinstance(outcome, Applied), outcome
        return outcome

    def refused(self, code: ErrorCode, kind: type[Any], /, **fields: Any) -> Refused:
        before = shown(self.state)
        outcome = self.try_(kind, **fields)
        assert isinstance(outcome, Refused)
        assert outcome.code == code
        assert shown(self.state) == before
        return outcome


def shown(state: NotebookState) -> Any:
    return msgspec.to_builtins(snapshot(state, epoch="e", seq=0))


def codes(state: NotebookState) -> list[str]:
    return [state.cells[cell_id].code for cell_id in state.order]


def test_create_appends_inserts_and_tells_where() -> None:
    state = notebook("a")
    ann = Client(state)
    end = ann.do(CreateCell, cell_type="python", code="end")
    assert end.result == {"cellId": state.order[1], "index": 1}
    ann.do(CreateCell, cell_type="sql", after_cell_id=None, code="top")
    ann.do(CreateCell, cell_type="markdown", after_cell_id="c0", code="after a")
    ann.do(CreateCell, cell_type="python", index=0, code="first")
    lost = ann.do(CreateCell, cell_type="python", after_cell_id="nobody", code="last\r\nline")
    assert lost.result is not None
    assert lost.result["index"] == 5
    assert codes(state) == ["first", "top", "a", "after a", "end", "last\nline"]
    assert len(set(state.order)) == 6
    assert state.revision == 5
    assert [event.cause.id for event in lost.events if event.cause] == ["ann-5"]


def test_refusals_name_the_code_and_change_nothing() -> None:
    ann = Client(notebook("a", "b"))
    details = ann.refused(ErrorCode.BAD_POSITION, CreateCell, cell_type="python", index=3).details
    assert details == {"cells": 2}
    ann.refused(ErrorCode.TOO_LARGE, CreateCell, cell_type="python", code="ä" * (MAX_CODE // 2 + 1))
    ann.refused(ErrorCode.UNKNOWN_CELL, CellUpdate, cell_id="x", code="")
    ann.refused(ErrorCode.UNKNOWN_CELL, DeleteCell, cell_id="x")
    ann.refused(ErrorCode.UNKNOWN_CELL, MoveCell, cell_id="x", after_cell_id=None)
    ann.refused(ErrorCode.BAD_POSITION, MoveCell, cell_id="c0", after_cell_id="c0")
    ann.refused(ErrorCode.BAD_POSITION, MoveCell, cell_id="c0", after_cell_id="x")
    ann.refused(ErrorCode.UNKNOWN_CELL, SetCell, cell_id="x", mode="manual")
    ann.refused(ErrorCode.BAD_FIELD, SetCell, cell_id="c0", connection="pg")
    ann.refused(ErrorCode.UNKNOWN_CELL, RunCell, cell_id="x")
    ann.refused(ErrorCode.NOTHING_TO_UNDO, Undo)
    ann.refused(ErrorCode.NOTHING_TO_UNDO, Redo)
    ann.do(CreateCell, cell_type="python", code="x" * MAX_CODE)


def test_a_full_notebook_takes_no_more_cells() -> None:
    state = open_state(INFO, [StoredCell(id=f"c{i}", type="python") for i in range(MAX_CELLS)])
    ann = Client(state)
    assert ann.try_(CreateCell, cell_type="python") == step(state, CreateCell(id="z", cell_type="python"), "ann")
    ann.do(DeleteCell, cell_id="c1")
    ann.do(CreateCell, cell_type="python")


def test_update_is_a_new_version_that_nobody_has_analysed() -> None:
    state = notebook("x = 1")
    fold_in = analysed(state, "c0", 1, reads=(), writes=("x",))
    assert fold_in is not None
    fold(state, fold_in)
    ann = Client(state)
    done = ann.do(CellUpdate, cell_id="c0", code="x = 2")
    cell = state.cells["c0"]
    assert (cell.code, cell.version, cell.analysed, cell.writes) == ("x = 2", 2, False, ("x",))
    assert done.result == {"version": 2}
    assert analysed(state, "c0", 1, reads=(), writes=()) is None  # an answer about old code
    same = ann.do(CellUpdate, cell_id="c0", code="x = 2")
    assert same.result == {"version": 2}
    assert state.revision == 2


def test_deleting_the_only_cell_clears_it() -> None:
    state = notebook("a", "b")
    ann = Client(state)
    assert ann.do(DeleteCell, cell_id="c0").result is None
    done = ann.do(DeleteCell, cell_id="c1")
    assert done.result == {"cleared": True}
    assert codes(state) == [""]
    ann.do(Undo)
    ann.do(Undo)
    assert codes(state) == ["a", "b"]
    assert state.cells["c0"].version == 2


@pytest.mark.parametrize(
    ("cell", "after", "want"),
    [("c0", "c2", "bcad"), ("c3", None, "dabc"), ("c1", "c0", "abcd"), ("c2", "c3", "abdc"), ("c2", "c0", "acbd")],
)
def test_move(cell: str, after: str | None, want: str) -> None:
    state = notebook(*"abcd")
    ann = Client(state)
    done = ann.do(MoveCell, cell_id=cell, after_cell_id=after)
    assert "".join(codes(state)) == want
    assert done.result == {"index": state.index(cell)}
    ann.do(Undo)
    assert "".join(codes(state)) == "abcd"
    ann.do(Redo)
    assert "".join(codes(state)) == want


def test_set_cell_edits_the_header_of_a_sql_cell() -> None:
    state = notebook("SELECT 1", "x")
    ann = Client(state)
    ann.do(SetCell, cell_id="c0", cell_type="sql", connection="pg")
    cell = state.cells["c0"]
    assert (cell.code, cell.connection, cell.result) == ("-- connection: pg\nSELECT 1", "pg", None)
    ann.do(SetCell, cell_id="c0", result="orders")
    assert state.cells["c0"].code == "-- connection: pg  result: orders\nSELECT 1"
    ann.do(CellUpdate, cell_id="c0", code="%%sql lite\nSELECT 2")  # what is typed wins
    assert state.cells["c0"].connection == "lite"
    ann.do(SetCell, cell_id="c0", result="r")
    assert state.cells["c0"].code == "%%sql lite r <<\nSELECT 2"
    ann.do(SetCell, cell_id="c1", mode="disabled", name="load", execution="cluster")
    other = state.cells["c1"]
    assert (other.mode, other.status, other.name, other.execution) == ("disabled", "disabled", "load", "cluster")
    ann.do(SetCell, cell_id="c1", mode="auto", name="")
    assert (state.cells["c1"].status, state.cells["c1"].name) == ("idle", None)
    for _ in range(6):
        ann.do(Undo)
    assert codes(state) == ["SELECT 1", "x"]
    assert state.cells["c0"].type == "python"


def test_set_notebook_changes_only_what_is_named() -> None:
    state = notebook("a")
    ann = Client(state)
    ann.do(SetNotebook, lazy=True)
    ann.do(SetNotebook, name="Sales", auto_run=False)
    assert state.info.name == "Sales"
    assert state.info.settings == Settings(auto_run=False, lazy=True)
    ann.do(Undo)
    assert (state.info.name, state.info.settings) == ("n1", Settings(lazy=True))


def test_run_cell_saves_code_and_refuses_other_code() -> None:
    state = notebook("x = 1")
    refused = Client(state).refused(ErrorCode.STALE_CODE, RunCell, cell_id="c0", code_hash=code_hash("x = 2"))
    assert refused.details == {"version": 1, "codeHash": code_hash("x = 1")}
    command = RunCell(id="r1", cell_id="c0", code="x = 3", code_hash=code_hash("x = 3"))
    outcome = step(state, command, "ann", run_id="run-1")
    assert isinstance(outcome, Applied)
    assert outcome.result == {"runId": "run-1"}
    commit(state, outcome)
    assert codes(state) == ["x = 3"]
    again = step(state, RunAll(id="r2"), "ann", run_id="run-2")
    assert isinstance(again, Applied)
    commit(state, again)
    assert (again.record.operation, again.events, state.revision) == (None, (), 1)
    answer = state.answers.get("ann", "r2")
    assert answer is not None
    assert answer.result == {"runId": "run-2"}


def test_undo_takes_back_ones_own_work_only() -> None:
    state = notebook("a", "b")
    ann, bob = Client(state, "ann"), Client(state, "bob")
    ann.do(CellUpdate, cell_id="c0", code="ann")
    bob.do(CellUpdate, cell_id="c1", code="bob")
    done = ann.do(Undo)
    assert codes(state) == ["a", "bob"]
    assert done.result == {"undid": "ann-1"}
    ann.refused(ErrorCode.NOTHING_TO_UNDO, Undo)
    ann.do(Redo)
    assert codes(state) == ["ann", "bob"]
    ann.do(Undo)
    ann.do(CellUpdate, cell_id="c0", code="else")
    ann.refused(ErrorCode.NOTHING_TO_UNDO, Redo)


def test_undo_conflict_says_what_would_be_lost() -> None:
    state = notebook("a", "b")
    ann, bob = Client(state, "ann"), Client(state, "bob")
    made = ann.do(CreateCell, cell_type="python").result
    assert made is not None
    bob.do(CellUpdate, cell_id=made["cellId"], code="of bob")
    refused = ann.refused(ErrorCode.UNDO_CONFLICT, Undo)
    assert refused.details == {"changes": [{"cellId": made["cellId"], "field": "code", "now": "of bob"}]}
    bob.do(Undo)
    ann.do(Undo)
    assert codes(state) == ["a", "b"]
    ann.do(MoveCell, cell_id="c0", after_cell_id="c1")
    bob.do(MoveCell, cell_id="c0", after_cell_id=None)
    ann.refused(ErrorCode.UNDO_CONFLICT, Undo)
    bob.do(Undo)
    bob.do(DeleteCell, cell_id="c0")
    ann.refused(ErrorCode.UNDO_CONFLICT, Undo)


def test_undo_merges_around_the_edits_of_others() -> None:
    state = notebook("first = 1\nsecond = 2\nthird = 3\n")
    ann, bob = Client(state, "ann"), Client(state, "bob")
    ann.do(CellUpdate, cell_id="c0", code="first = 100\nsecond = 2\nthird = 3\n")
    bob.do(CellUpdate, cell_id="c0", code="first = 100\nsecond = 2\nthird = 300\n")
    ann.do(Undo)
    assert codes(state) == ["first = 1\nsecond = 2\nthird = 300\n"]
    bob.do(Undo)
    assert codes(state) == ["first = 1\nsecond = 2\nthird = 3\n"]
    ann.do(Redo)
    bob.do(CellUpdate, cell_id="c0", code="first = 7")
    assert ann.refused(ErrorCode.UNDO_CONFLICT, Undo).details == {
        "changes": [
            {
                "cellId": "c0",
                "field": "code",
                "now": "first = 7",
                "wouldBe": "first = 1\nsecond = 2\nthird = 3\n",
            }
        ]
    }


def test_two_writers_of_one_cell_merge_or_the_first_is_told() -> None:
    state = notebook("a = 1\nb = 2\n")
    ann, bob = Client(state, "ann"), Client(state, "bob")
    ann.do(CellUpdate, cell_id="c0", code="a = 10\nb = 2\n", base_version=1)
    merged = bob.do(CellUpdate, cell_id="c0", code="a = 1\nb = 20\n", base_version=1)
    assert codes(state) == ["a = 10\nb = 20\n"]
    assert merged.result == {"version": 3, "merged": True}
    assert merged.lost is None
    late = bob.do(CellUpdate, cell_id="c0", code="a = 7\nb = 2\n", base_version=1)
    assert codes(state) == ["a = 7\nb = 2\n"]
    assert late.lost is not None
    assert late.lost.client == "ann"
    frame = late.lost.frame
    assert (frame.yours, frame.theirs, frame.base) == ("a = 10\nb = 20\n", "a = 7\nb = 2\n", "a = 1\nb = 2\n")


def test_ones_own_updates_in_flight_are_not_merged() -> None:
    state = notebook("a")
    ann = Client(state)
    ann.do(CellUpdate, cell_id="c0", code="a b", base_version=1)
    done = ann.do(CellUpdate, cell_id="c0", code="a c", base_version=1)
    assert (codes(state), done.lost) == (["a c"], None)


def test_several_texts_are_one_step_all_or_nothing() -> None:
    state = notebook("x = 1", "x + 1", "other")
    ann, bob = Client(state, "ann"), Client(state, "bob")

    def texts(*pairs: tuple[str, str], base: int | None = None) -> tuple[CellText, ...]:
        return tuple(CellText(cell_id=cell_id, code=code, base_version=base) for cell_id, code in pairs)

    done = ann.do(UpdateCells, cells=texts(("c0", "y = 1"), ("c1", "y + 1"), ("c2", "other"), base=1))
    assert codes(state) == ["y = 1", "y + 1", "other"]
    assert done.result == {"versions": {"c0": 2, "c1": 2, "c2": 1}}
    assert [event.cell_id for event in done.events if isinstance(event, CellUpdated)] == ["c0", "c1"]
    bob.do(CellUpdate, cell_id="c2", code="of bob")
    ann.do(Undo)
    assert codes(state) == ["x = 1", "x + 1", "of bob"]
    ann.do(Redo)
    bob.do(CellUpdate, cell_id="c1", code="of bob too")
    refused = ann.refused(ErrorCode.UNDO_CONFLICT, Undo)
    assert [change["cellId"] for change in (refused.details or {})["changes"]] == ["c1"]
    late = ann.refused(ErrorCode.STALE_CODE, UpdateCells, cells=texts(("c0", "z = 1"), ("c1", "z"), base=2))
    assert late.details == {"cellId": "c1", "version": state.cells["c1"].version}
    ann.refused(ErrorCode.UNKNOWN_CELL, UpdateCells, cells=texts(("c0", "z"), ("gone", "z")))
    ann.refused(ErrorCode.BAD_FIELD, UpdateCells, cells=texts(("c0", "z"), ("c0", "w")))
    ann.refused(ErrorCode.TOO_LARGE, UpdateCells, cells=texts(("c0", "z"), ("c1", "x" * (MAX_CODE + 1))))
    assert ann.do(UpdateCells, cells=texts(("c0", "y = 1"))).record.operation is None


def test_replacing_all_cells_is_one_step() -> None:
    state = notebook("a", "b", "c")
    cells = (
        StoredCell(id="c2", type="python", code="c"),
        StoredCell(id="new", type="markdown", code="# n"),
        StoredCell(id="c0", type="python", code="a2"),
    )
    before = state.stored()
    commit(state, replace_cells(state, cells, "outside", "import-1"))
    assert [(cell.id, cell.code) for cell in state.stored()] == [("c2", "c"), ("new", "# n"), ("c0", "a2")]
    assert state.revision == 1
    Client(state, "outside").do(Undo)
    assert [(cell.id, cell.code) for cell in state.stored()] == [(cell.id, cell.code) for cell in before]


def test_cell_ids_are_made_of_the_command() -> None:
    one, two = notebook("a"), notebook("a")
    assert (
        Client(one).do(CreateCell, cell_type="python").result == Client(two).do(CreateCell, cell_type="python").result
    )


def test_undo_reaches_back_a_thousand_steps_and_no_further() -> None:
    state = notebook("0")
    ann = Client(state)
    for number in range(1, MAX_STEPS + 11):
        ann.do(CellUpdate, cell_id="c0", code=str(number))
    for _ in range(MAX_STEPS):
        ann.do(Undo)
    assert codes(state) == ["10"]
    ann.refused(ErrorCode.NOTHING_TO_UNDO, Undo)


def test_large_texts_push_old_steps_out() -> None:
    state = notebook("")
    ann = Client(state)
    for number in range(40):
        ann.do(CellUpdate, cell_id="c0", code=f"{number}" + "x" * (MAX_CODE - 10))
    undo, _ = state.history.stacks()
    assert 1 < len(undo) < 40
    assert sum(len(str(getattr(step.operation, "code", ""))) * 2 for step in undo) <= MAX_BYTES + 4 * MAX_CODE


def test_a_notebook_has_a_limit_in_bytes() -> None:
    state = open_state(INFO, [StoredCell(id=f"c{i}", type="python", code="x" * MAX_CODE) for i in range(32)])
    ann = Client(state)
    ann.refused(ErrorCode.TOO_LARGE, CreateCell, cell_type="python", code="x")
    ann.do(CellUpdate, cell_id="c0", code="")
    assert state.size == 31 * MAX_CODE
    ann.do(CreateCell, cell_type="python", code="x")
    ann.do(DeleteCell, cell_id="c1")
    assert state.size == 30 * MAX_CODE + 1


def test_the_last_ten_thousand_answers_are_remembered() -> None:
    answers = Answers(limit=3)
    for number in (1, 2, 1, 3, 4):
        answers.remember(Record(id=str(number), client="ann", command="run_all", base=0, revision=number))
    assert [answer.id for answer in answers] == ["1", "3", "4"]
    assert (answers.get("ann", "2"), answers.get("bob", "1")) == (None, None)
    assert IDEMPOTENT_IDS == 10_000


COMMANDS = st.sampled_from(
    ["create", "update", "delete", "move", "set", "undo", "redo", "replace", "stale update", "several"]
)


def random_command(state: NotebookState, kind: str, number: int, text: str) -> tuple[type[Any], dict[str, Any]]:
    cell = state.order[number % len(state.order)]
    other = state.order[(number // 7) % len(state.order)]
    match kind:
        case "create":
            return CreateCell, {"cell_type": "python", "after_cell_id": [None, UNSET, other][number % 3], "code": text}
        case "update":
            return CellUpdate, {"cell_id": cell, "code": text}
        case "stale update":
            return CellUpdate, {"cell_id": cell, "code": text, "base_version": 1}
        case "several":
            texts = tuple(CellText(cell_id=one, code=text, base_version=1) for one in dict.fromkeys((cell, other)))
            return UpdateCells, {"cells": texts}
        case "delete":
            return DeleteCell, {"cell_id": cell}
        case "move":
            return MoveCell, {"cell_id": cell, "after_cell_id": None if number % 4 == 0 else other}
        case "set":
            return SetCell, {"cell_id": cell, "cell_type": "sql", "connection": f"db{number % 3}"}
        case "undo":
            return Undo, {}
        case _:
            return Redo, {}


HISTORIES = st.lists(
    st.tuples(COMMANDS, st.integers(0, 1000), st.sampled_from(["ann", "bob"]), st.text("ab \n", max_size=9)),
    min_size=10,
    max_size=60,
)


@given(HISTORIES)
@settings(max_examples=150, deadline=None)
def test_two_random_clients_converge(history: list[tuple[str, int, str, str]]) -> None:
    """Folding the events gives every client the same document; so does replaying the journal's records."""
    state = notebook("a", "b", "c")
    view = from_snapshot(snapshot(state, epoch="e", seq=0))
    clients = {name: Client(state, name) for name in ("ann", "bob")}
    entries: list[Record] = []
    for kind, number, name, text in history:
        if kind == "replace":
            stored = state.stored()
            added = StoredCell(id=f"o{state.revision}", type="python", code=text)
            cut = (*stored[number % len(stored) :], added)
            outcome: Applied | Refused = replace_cells(state, cut, name, f"import-{state.revision}")
            assert isinstance(outcome, Applied)
            commit(state, outcome)
        else:
            fields = random_command(state, kind, number, text)
            outcome = clients[name].try_(fields[0], **fields[1])
        if isinstance(outcome, Applied):
            for event in outcome.events:
                fold(view, event)
            entries.append(outcome.record)
        assert len(state.order) == len(set(state.order)) == len(state.cells) >= 1
    assert view.hash() == state.hash() == document_hash(state.cells[cell_id] for cell_id in state.order)
    assert view.stored() == state.stored()

    replayed = notebook("a", "b", "c")
    for entry in entries:
        raw = msgspec.msgpack.encode(entry)
        decoded = msgspec.msgpack.decode(raw, type=Entry)
        assert isinstance(decoded, Record)
        replay(replayed, decoded)
    assert image(replayed) == image(state)
    assert image(from_image(image(state), INFO)) == image(state)


@given(HISTORIES)
@settings(max_examples=60, deadline=None)
def test_undoing_everything_gives_back_the_start(history: list[tuple[str, int, str, str]]) -> None:
    state = notebook("a", "b", "c")
    ann = Client(state)
    start = [(cell.id, cell.type, cell.code) for cell in state.stored()]
    done = 0
    for kind, number, _, text in history:
        if kind in {"undo", "redo", "replace"}:
            continue
        fields = random_command(state, kind, number, text)
        done += isinstance(ann.try_(fields[0], **fields[1]), Applied)
    end = [(cell.id, cell.type, cell.code) for cell in state.stored()]
    undone = 0
    while isinstance(ann.try_(Undo), Applied):
        undone += 1
    assert undone <= done
    assert [(cell.id, cell.type, cell.code) for cell in state.stored()] == start
    for _ in range(undone):
        ann.do(Redo)
    assert [(cell.id, cell.type, cell.code) for cell in state.stored()] == end
