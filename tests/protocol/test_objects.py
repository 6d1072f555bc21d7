"""The two hashes against oracles written by hand, and the shape of objects on the wire."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace_protocol import code_hash, document_hash, events, objects
from tailrace_protocol.codec import encode_json, encode_msgpack, to_builtins
from tailrace_protocol.errors import ErrorCode, TailraceError


@dataclass(frozen=True)
class Line:
    """One cell as the hash sees it."""

    id: str = "c1"
    type: objects.CellType = "python"
    code: str = "x = 1"
    name: str | None = None
    mode: objects.CellMode = "auto"
    execution: objects.Execution = "local"
    connection: str | None = None


# Written out by hand from SPEC.md B1, and hashed with sha256sum.
BY_HAND: dict[str, tuple[list[Line], bytes]] = {
    "no cells": ([], b""),
    "one": ([Line()], b"2:c16:python5:x = 10:4:auto5:local0:"),
    "two": (
        [Line(), Line("q", "sql", "SELECT 1", "Erste", "manual", "cluster", "pg")],
        b"2:c16:python5:x = 10:4:auto5:local0:" + b"1:q3:sql8:SELECT 15:Erste6:manual7:cluster2:pg",
    ),
    "bytes, not characters": (
        [Line(code="s = 'é🌊'\n")],
        b"2:c16:python13:s = '\xc3\xa9\xf0\x9f\x8c\x8a'\n0:4:auto5:local0:",
    ),
}


@pytest.mark.parametrize(("cells", "hashed"), BY_HAND.values(), ids=list(BY_HAND))
def test_document_hash_is_that_of_the_written_out_bytes(cells: list[Line], hashed: bytes) -> None:
    assert document_hash(cells) == hashlib.sha256(hashed).hexdigest()[:16]


def test_document_hash_of_nothing_is_that_of_the_empty_text() -> None:
    assert document_hash([]) == "e3b0c44298fc1c14"


@pytest.mark.parametrize(
    "change",
    [
        {"id": "c2"},
        {"type": "markdown"},
        {"code": "x = 1 "},
        {"name": "n"},
        {"mode": "manual"},
        {"execution": "cluster"},
        {"connection": "pg"},
    ],
)
def test_every_hashed_field_counts(change: dict[str, Any]) -> None:
    assert document_hash([replace(Line(), **change)]) != document_hash([Line()])


def test_an_absent_field_hashes_as_an_empty_one() -> None:
    assert document_hash([Line(name="", connection="")]) == document_hash([Line()])


def test_text_cannot_move_between_fields_or_cells() -> None:
    assert document_hash([Line(code="", name="ab")]) != document_hash([Line(code="a", name="b")])
    assert document_hash([Line("a"), Line("b")]) != document_hash([Line("b"), Line("a")])
    assert document_hash([Line(code="0:4:auto")]) != document_hash([Line(code="0:"), Line(code="4:auto")])


lines = st.builds(
    Line,
    id=st.text("ab1", min_size=1, max_size=3),
    code=st.text("x:1é🌊", max_size=4),
    name=st.none() | st.text("x:1", max_size=3),
    connection=st.none() | st.text("x:1", max_size=3),
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lines, max_size=3), st.lists(lines, max_size=3))
def test_two_documents_share_a_hash_only_when_they_are_equal(one: list[Line], other: list[Line]) -> None:
    def plain(cells: list[Line]) -> list[Line]:
        return [replace(cell, name=cell.name or None, connection=cell.connection or None) for cell in cells]

    assert (document_hash(one) == document_hash(other)) == (plain(one) == plain(other))


def test_a_wire_cell_hashes_like_the_line_it_is() -> None:
    assert document_hash([cell(outputs=(), status="success")]) == document_hash([Line()])


def test_code_hash_is_sha256_of_the_bytes() -> None:
    assert code_hash("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert code_hash("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert code_hash("é") == hashlib.sha256(b"\xc3\xa9").hexdigest()


def sent_as(frame: object) -> Any:
    """What a client sees, the same in JSON, in msgpack and as plain objects."""
    seen = msgspec.json.decode(encode_json(frame))
    assert seen == msgspec.msgpack.decode(encode_msgpack(frame))
    assert seen == msgspec.json.decode(encode_json(to_builtins(frame)))
    return seen


def cell(**given: Any) -> objects.Cell:
    plain: dict[str, Any] = {
        "id": "c1",
        "type": "python",
        "code": "x = 1",
        "mode": "auto",
        "execution": "local",
        "version": 1,
        "status": "idle",
        "reads": (),
        "writes": ("x",),
        "diagnostics": (),
        "analysed": True,
        "outputs": (),
        "stdout": "",
    }
    return objects.Cell(**{**plain, **given})


def test_names_are_camel_case_and_nothing_is_sent_for_none() -> None:
    sent = sent_as(cell(execution_count=3))
    assert sent["executionCount"] == 3
    assert "error" not in sent
    assert "connection" not in sent
    assert sent["reads"] == []  # an empty list is news


def test_settings_are_always_sent_whole() -> None:
    assert sent_as(objects.Settings()) == {
        "autoRun": True,
        "lazy": False,
        "cutoff": False,
        "frames": "pandas",
        "earlyQueries": True,
    }


def test_edges_spell_from_as_on_the_wire() -> None:
    assert sent_as(objects.Edge(from_="a", to="b", names=("x",))) == {"from": "a", "to": "b", "names": ["x"]}


@pytest.mark.parametrize(
    "output",
    [
        objects.StreamOutput(index=0, stream="stderr", text="é\n"),
        objects.DisplayOutput(index=1, data={"text/plain": "x"}, metadata={}, display_id="d"),
        objects.ResultOutput(index=2, data={"application/json": {"a": [1, None]}}, metadata={}, execution_count=4),
        objects.ErrorOutput(index=3, ename="NameError", evalue="a", traceback=("\x1b[31mx",), line=1),
    ],
    ids=lambda output: str(output.__struct_config__.tag),
)
def test_an_output_survives_both_encodings(output: objects.Output) -> None:
    event = events.CellOutput(seq=1, ts=0.5, notebook_id="n", cell_id="c1", output=output)
    assert msgspec.json.decode(encode_json(event), type=events.CellOutput) == event
    assert msgspec.msgpack.decode(encode_msgpack(event), type=events.CellOutput) == event
    assert sent_as(event)["output"]["kind"] == output.__struct_config__.tag


def test_a_move_to_the_top_says_null_and_does_not_leave_it_out() -> None:
    sent = sent_as(events.CellMoved(seq=1, ts=0.5, notebook_id="n", cell_id="c1", index=0, after_cell_id=None))
    assert sent["afterCellId"] is None
    assert sent_as(events.Error(id=None, code="bad_frame", message="…"))["id"] is None


def test_every_event_of_the_wire_carries_its_number_even_the_first() -> None:
    sent = sent_as(events.CellDeleted(seq=1, ts=1.0, notebook_id="n", cell_id="c1"))
    assert sent == {"type": "cell_deleted", "seq": 1, "ts": 1.0, "notebookId": "n", "cellId": "c1"}


def test_an_error_shows_code_and_sentence() -> None:
    error = TailraceError(ErrorCode.UNKNOWN_CELL, "No cell 'c9'.", details={"cellId": "c9"}, retry=1.0)
    assert repr(error) == "TailraceError('unknown_cell', \"No cell 'c9'.\")"
    assert (str(error), error.details, error.retry) == ("No cell 'c9'.", {"cellId": "c9"}, 1.0)
    assert TailraceError(ErrorCode.INTERNAL, "x").details is None


def test_objects_are_immutable() -> None:
    with pytest.raises(AttributeError):
        cell().code = "y = 2"  # type: ignore[misc]
