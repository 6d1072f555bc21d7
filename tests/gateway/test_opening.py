"""Opening: journal and file agree, the file was edited meanwhile, or both were; outputs come back as stale."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tailrace_gateway.cell_merge import merge_cells, recognised
from tailrace_gateway.document import Applied, Refused, commit, step
from tailrace_gateway.history import OUTSIDE
from tailrace_gateway.journal import Recovered
from tailrace_gateway.kept_session import KeptOutputs, KeptSession, kept_of
from tailrace_gateway.merge import merge
from tailrace_gateway.notebook_file import Contents
from tailrace_gateway.opening import Opened, is_saved, open_notebook, remember_save, take_outside_edit
from tailrace_gateway.output_store import OutputStore
from tailrace_gateway.records import Image, Record, Saved, StoredCell
from tailrace_gateway.state import NotebookState, image
from tailrace_protocol import code_hash
from tailrace_protocol.commands import CellUpdate, CreateCell, DeleteCell, MoveCell, Redo, Undo
from tailrace_protocol.objects import CellError, NotebookInfo, Settings, StreamOutput

INFO = NotebookInfo(id="n1", path="n1.py", name="n1", settings=Settings())


def test_the_copy_of_a_conflict_has_an_id_of_its_own() -> None:
    base = cells(**{"a": "0", "a-disk": "older copy"})
    merged = merge_cells(base, cells(**{"a": "1", "a-disk": "older copy"}), cells(**{"a": "2", "a-disk": "older copy"}))
    assert [cell.id for cell in merged.cells] == ["a", "a-disk-2", "a-disk"]


def cells(**codes: str) -> tuple[StoredCell, ...]:
    return tuple(StoredCell(id=name, type="python", code=code) for name, code in codes.items())


def contents(stored: tuple[StoredCell, ...], **fields: Any) -> Contents:
    return Contents(cells=stored, outputs=fields.get("outputs", {}), settings=fields.get("settings", Settings()))


def codes(state: NotebookState) -> dict[str, str]:
    return {cell.id: cell.code for cell in state.stored()}


class Session:
    """One life of a gateway: what it journals is what the next one recovers."""

    def __init__(self, stored: tuple[StoredCell, ...], file_hash: str = "h0") -> None:
        self.state = open_notebook(INFO, contents(stored), file_hash, Recovered(None, ()), {}).state
        self.image: Image = image(self.state)
        self.records: list[Record | Saved] = []

    def do(self, command: CellUpdate | CreateCell | DeleteCell | MoveCell) -> None:
        outcome = step(self.state, command, "ann")
        assert isinstance(outcome, Applied)
        commit(self.state, outcome)
        self.records.append(outcome.record)

    def save(self, file_hash: str) -> None:
        self.records.append(remember_save(self.state, file_hash))

    def reopen(self, stored: tuple[StoredCell, ...], file_hash: str) -> Opened:
        return open_notebook(INFO, contents(stored), file_hash, Recovered(self.image, self.records), {})


def test_a_new_notebook_is_what_its_file_says() -> None:
    opened = open_notebook(
        INFO, contents(cells(a="x = 1"), settings=Settings(lazy=True)), "h0", Recovered(None, ()), {}
    )
    assert codes(opened.state) == {"a": "x = 1"}
    assert opened.state.info.settings == Settings(lazy=True)
    assert opened.state.saved == Saved(revision=0, file_hash="h0")


def test_what_was_acknowledged_and_not_yet_saved_is_there() -> None:
    session = Session(cells(a="x = 1", b="y"))
    session.do(CellUpdate(id="1", cell_id="a", code="x = 2"))
    session.save("h1")
    session.do(CellUpdate(id="2", cell_id="a", code="x = 3"))
    session.do(MoveCell(id="3", cell_id="b", after_cell_id=None))
    opened = session.reopen(cells(a="x = 2", b="y"), "h1")
    assert list(codes(opened.state).items()) == [("b", "y"), ("a", "x = 3")]
    assert opened.state.revision == 3
    assert opened.state.saved == Saved(revision=1, file_hash="h1")


def test_an_edit_of_the_file_is_one_undoable_step() -> None:
    session = Session(cells(a="x = 1", b="y"))
    session.do(CellUpdate(id="1", cell_id="a", code="x = 2"))
    session.save("h1")
    opened = session.reopen(cells(a="x = 2", b="outside", c="new"), "other")
    assert codes(opened.state) == {"a": "x = 2", "b": "outside", "c": "new"}
    assert opened.conflicts == ()
    undone = step(opened.state, Undo(id="1"), OUTSIDE)
    assert isinstance(undone, Applied)
    commit(opened.state, undone)
    assert codes(opened.state) == {"a": "x = 2", "b": "y"}


def test_edits_of_both_sides_meet() -> None:
    session = Session(cells(a="x = 1", b="y", c="z"))
    session.do(CellUpdate(id="1", cell_id="a", code="ours"))
    session.do(DeleteCell(id="2", cell_id="c"))
    opened = session.reopen(cells(a="theirs", b="y2", c="z"), "other")
    assert codes(opened.state) == {"a": "ours", "a-disk": "theirs", "b": "y2"}
    assert opened.conflicts == ("a",)
    copy = opened.state.cells["a-disk"]
    assert (copy.mode, copy.name) == ("disabled", "from the file")
    assert not is_saved(opened.state)


def test_an_edit_of_the_file_while_the_notebook_is_open() -> None:
    session = Session(cells(a="x = 1", b="y"))
    session.do(CellUpdate(id="1", cell_id="a", code="x = 2"))
    written = cells(a="x = 1", b="y")
    nothing, none = take_outside_edit(session.state, written, contents(written), "o1")
    assert (nothing, none) == (None, ())
    applied, conflicts = take_outside_edit(session.state, written, contents(cells(a="x = 9", b="z")), "o2")
    assert applied is not None
    commit(session.state, applied)
    assert codes(session.state) == {"a": "x = 2", "a-disk": "x = 9", "b": "z"}
    assert conflicts == ("a",)
    assert {event.cause.client for event in applied.events if event.cause} == {OUTSIDE}


def test_compaction_keeps_what_the_file_held() -> None:
    session = Session(cells(a="x = 1", b="y"))
    session.do(CellUpdate(id="1", cell_id="a", code="x = 2"))
    late = Recovered(image(session.state), ())  # compacted after an edit that no file has
    opened = open_notebook(INFO, contents(cells(a="x = 1", b="theirs")), "other", late, {})
    assert codes(opened.state) == {"a": "x = 2", "b": "theirs"}
    assert opened.conflicts == ()
    opened = open_notebook(INFO, contents(cells(a="x = 3", b="y")), "other", late, {})
    assert codes(opened.state) == {"a": "x = 2", "a-disk": "x = 3", "b": "y"}
    assert opened.conflicts == ("a",)
    again = open_notebook(INFO, contents(cells(a="x = 3", b="y")), "other", Recovered(image(opened.state), ()), {})
    assert codes(again.state) == codes(opened.state), "merged once, though it was not saved before the next end"


def test_killed_between_the_file_and_the_entry_about_it() -> None:
    session = Session(cells(a="x = 1"))
    session.do(CellUpdate(id="1", cell_id="a", code="x = 2"))
    session.do(CellUpdate(id="2", cell_id="a", code="x = 3"))
    opened = session.reopen(cells(a="x = 2"), "not said to be ours")
    assert codes(opened.state) == {"a": "x = 3"}
    assert opened.conflicts == ()
    opened = session.reopen(cells(a="x = 4"), "not ours")
    assert opened.conflicts == ("a",), "the control: another text is an edit made outside"


def test_an_entry_about_an_older_revision_still_tells_where_a_merge_begins() -> None:
    session = Session(cells(a="x = 1", b="y"))
    session.do(CellUpdate(id="1", cell_id="a", code="x = 2"))
    session.do(CellUpdate(id="2", cell_id="b", code="z"))
    session.records.append(Saved(revision=1, file_hash="h1"))  # the second edit came while the file was written
    opened = session.reopen(cells(a="theirs", b="y"), "other")
    assert codes(opened.state) == {"a": "theirs", "b": "z"}
    assert opened.conflicts == ()


def test_anybody_may_take_back_an_edit_of_the_file() -> None:
    session = Session(cells(a="x = 1"))
    opened = session.reopen(cells(a="outside"), "other")
    assert codes(opened.state) == {"a": "outside"}
    for command, want in ((Undo(id="u"), "x = 1"), (Redo(id="r"), "outside")):
        outcome = step(opened.state, command, "ann")
        assert isinstance(outcome, Applied)
        commit(opened.state, outcome)
        assert codes(opened.state) == {"a": want}
    assert isinstance(step(opened.state, Redo(id="r2"), "bob"), Refused)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "want"),
    [
        ("ab", "ab", "ab", "ab"),
        ("ab", "abo", "ab", "abo"),
        ("ab", "ab", "atb", "atb"),
        ("ab", "aob", "atb", "aotb"),
        ("abc", "ac", "abc", "ac"),
        ("abc", "abc", "ac", "ac"),
        ("abc", "cab", "abc", "cab"),
        ("abc", "abc", "bca", "bca"),
        ("abc", "oabc", "cbat", "ocbat"),
        ("", "o", "t", "ot"),
    ],
)
def test_order_of_merged_cells(base: str, ours: str, theirs: str, want: str) -> None:
    def notebook(names: str) -> tuple[StoredCell, ...]:
        return cells(**{name: name for name in names})

    merged = merge_cells(notebook(base), notebook(ours), notebook(theirs))
    got = "".join(cell.id for cell in merged.cells)
    assert got == want
    assert merged.conflicts == ()


def test_an_edited_cell_outlives_a_deletion() -> None:
    base = cells(a="1", b="2")
    assert merge_cells(base, cells(a="edited", b="2"), cells(b="2")).cells == cells(a="edited", b="2")
    assert merge_cells(base, cells(b="2"), cells(a="edited", b="2")).cells == cells(a="edited", b="2")


def test_settings_and_text_of_one_cell_merge_apart() -> None:
    (cell,) = cells(a="x = 1")
    merged = merge_cells([cell], [replace(cell, mode="manual")], [replace(cell, code="x = 2")])
    assert merged.cells == (replace(cell, mode="manual", code="x = 2"),)


def test_cells_without_ids_are_recognised_by_their_place() -> None:
    base = cells(a="1", b="2", c="3")
    edited = cells(a="1", f00="2 edited", c="3")
    assert [cell.id for cell in recognised(base, edited)] == ["a", "b", "c"]
    assert merge_cells(base, base, edited).cells == cells(a="1", b="2 edited", c="3")
    added = cells(a="1", b="2", f00="new", c="3")
    assert [cell.id for cell in recognised(base, added)] == ["a", "b", "f00", "c"]


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "want"),
    [
        ("a b c", "a b c", "x", "x"),
        ("a b c", "A b c", "a b C", "A b C"),
        ("a b c", "A b c", "A b c", "A b c"),
        ("a b c", "a X c", "a Y c", None),
        ("", "one", "two", None),
        ("x = 1\n", "x = 1\ny = 2\n", "x = 5\n", "x = 5\ny = 2\n"),
    ],
)
def test_merge(base: str, ours: str, theirs: str, want: str | None) -> None:
    assert merge(base, ours, theirs) == want
    assert merge(base, theirs, ours) == want


@given(st.text("ab \n", max_size=12), st.text("ab \n", max_size=12), st.text("ab \n", max_size=12))
@settings(max_examples=200, deadline=None)
def test_merge_is_fair(base: str, ours: str, theirs: str) -> None:
    assert merge(base, ours, theirs) == merge(base, theirs, ours)
    assert merge(base, ours, base) == ours
    assert merge(base, ours, ours) == ours


def test_outputs_come_back_as_stale(tmp_path: Any) -> None:
    session = Session(cells(a="x = 1", b="y", c="z", d="idle"))
    text = StreamOutput(index=0, stream="stdout", text="hello\n")
    error = CellError(ename="E", evalue="v", traceback=())
    store = OutputStore(tmp_path / "n1")
    assert store.load() == KeptSession()
    shown = replace(session.state.cell("a"), outputs=(text,), status="success", seconds=0.5, execution_count=3)
    failed = replace(session.state.cell("b"), error=error, status="error")
    kept = {cell.id: kept_of(cell, code_hash(cell.code)) for cell in (shown, failed, session.state.cell("d"))}
    assert kept["d"] is None
    entries = {cell_id: entry for cell_id, entry in kept.items() if entry is not None}
    entries["gone"] = entries["a"]
    store.save(KeptSession(outputs=entries))
    assert store.load().outputs == entries
    recovered = Recovered(session.image, [])
    edited = {**entries, "c": KeptOutputs(code_hash="other", outputs=(text,), status="success")}
    opened = open_notebook(INFO, contents(cells(a="x = 1", b="y", c="z", d="idle")), "h0", recovered, edited)
    states = {cell_id: opened.state.cell(cell_id) for cell_id in opened.state.order}
    assert states["a"].stdout == "hello\n"
    assert (states["a"].status, states["a"].execution_count) == ("stale", 3)
    assert states["a"].reason is not None
    assert states["a"].reason.code == "kernel_restarted"
    assert states["b"].error == error
    assert states["c"].reason is not None
    assert states["c"].reason.code == "edited"
    assert states["d"].status == "idle"
    (tmp_path / "n1" / "outputs.msgpack").write_bytes(b"rubbish")
    assert store.load() == KeptSession()
