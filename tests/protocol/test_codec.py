"""Frames in, commands out: every malformed input is a typed error, and both encodings say the same."""

import base64
import json
import re
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailrace_protocol import codec, commands, kernel_messages, limits
from tailrace_protocol.codec import Encoding, FrameError, decode_command, decode_content
from tailrace_protocol.errors import ErrorCode, TailraceError

PING = {"type": "ping", "id": "a1"}
ENCODINGS: tuple[Encoding, ...] = ("json", "msgpack")


def pack(frame: Any, encoding: Encoding) -> bytes:
    """As a foreign client would: with the standard library, and with msgpack's own packer."""
    return json.dumps(frame).encode() if encoding == "json" else bytes(msgpack.packb(frame))


def refusal(raw: bytes | str, encoding: Encoding = "json") -> FrameError:
    with pytest.raises(FrameError) as caught:
        decode_command(raw, encoding)
    assert decode_command(pack(PING, encoding), encoding) == commands.Ping(id="a1")  # the good frame still passes
    assert caught.value.message.endswith(".")
    return caught.value


MALFORMED_JSON = {
    "empty": b"",
    "white space": b"  \n",
    "null": b"null",
    "number": b"17",
    "text": b'"ping"',
    "array": b'[{"type":"ping","id":"a"}]',
    "cut": b'{"type":"ping","id":"a',
    "trailing": b'{"type":"ping","id":"a"} {"type":"ping","id":"b"}',
    "single quotes": b"{'type':'ping'}",
    "bare key": b"{type: 1}",
    "invalid UTF-8": b'{"type":"ping","id":"\xff\xfe"}',
    "raw surrogate": b'{"type":"ping","id":"\xed\xa0\x80"}',
    "escaped surrogate at the end": b'{"type":"ping","id":"\\ud800"}',
    "escaped surrogate": b'{"type":"ping","id":"\\ud800 and more text"}',
    "low before high": b'{"type":"ping","id":"\\udc00\\ud800"}',
    "not a number": b'{"type":"ping","id":NaN}',
    "infinity": b'{"type":"ping","id":1e999}',
    "5,000 digits": b'{"type":"ping","id":"a","x":' + b"9" * 5000 + b"}",
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 200_000,
    "byte order mark": b"\xef\xbb\xbf" + b'{"type":"ping","id":"a"}',
    "control character": b'{"type":"ping","id":"a\x00"}',
    "msgpack": bytes(msgpack.packb(PING)),
}

MALFORMED_MSGPACK = {
    "empty": b"",
    "reserved byte": b"\xc1",
    "nil": b"\xc0",
    "array": bytes(msgpack.packb([PING])),
    "cut": bytes(msgpack.packb(PING))[:-1],
    "trailing": bytes(msgpack.packb(PING)) + b"\x00",
    "announces 4 billion pairs": b"\xdf\xff\xff\xff\xff",
    "announces 4 billion items": b"\xdd\xff\xff\xff\xff",
    "announces 4 GB of text": b"\xdb\xff\xff\xff\xff",
    "binary key": bytes(msgpack.packb({b"type": "ping", "id": "a"})),
    "integer key": bytes(msgpack.packb({1: 2, "type": "ping", "id": "a"})),
    "array as key": b"\x81\x91\x01\x01",
    "invalid UTF-8": b"\x82\xa4type\xa4ping\xa2id\xa1\xff",
    "raw surrogate": b"\x82\xa4type\xa4ping\xa2id\xa3\xed\xa0\x80",
    "deep": b"\x91" * 200_000,
    "extension": bytes(msgpack.packb({**PING, "x": msgpack.ExtType(5, b"x")})),
    "timestamp": bytes(msgpack.packb({**PING, "x": msgpack.Timestamp(1)})),
    "integer key inside": bytes(msgpack.packb({**PING, "x": {"y": {5: 6}}})),
    "JSON": json.dumps(PING).encode(),
}


@pytest.mark.parametrize("raw", MALFORMED_JSON.values(), ids=list(MALFORMED_JSON))
def test_malformed_json_is_a_bad_frame(raw: bytes) -> None:
    assert refusal(raw).code is ErrorCode.BAD_FRAME


@pytest.mark.parametrize("raw", MALFORMED_MSGPACK.values(), ids=list(MALFORMED_MSGPACK))
def test_malformed_msgpack_is_a_bad_frame(raw: bytes) -> None:
    assert refusal(raw, "msgpack").code is ErrorCode.BAD_FRAME


def test_a_text_frame_with_a_lone_surrogate_is_a_bad_frame() -> None:
    assert refusal('{"type":"ping","id":"\ud800"}').code is ErrorCode.BAD_FRAME
    assert decode_command('{"type":"ping","id":"\U0001f30a"}').id == "\U0001f30a"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nesting_is_allowed_to_the_limit_and_not_one_further(encoding: Encoding) -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: Any = "x"
        for _ in range(levels - 1):
            value = [value]
        return {**PING, "deep": value}

    assert decode_command(pack(nested(limits.MAX_NESTING), encoding), encoding).id == "a1"
    error = refusal(pack(nested(limits.MAX_NESTING + 1), encoding), encoding)
    assert (error.code, error.frame_id) == (ErrorCode.BAD_FRAME, "a1")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("value", [-(2**63), 2**64 - 1, 0, -1])
def test_integers_of_64_bits_pass(encoding: Encoding, value: int) -> None:
    frame = {"type": "comm", "id": "a", "commId": "w", "phase": "msg", "data": {"n": value}}
    command = decode_command(pack(frame, encoding), encoding)
    assert isinstance(command, commands.Comm)
    assert command.data == {"n": value}
    for other in ENCODINGS:
        codec.ENCODERS[other](command)  # what came in can go out, in either encoding


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, 10**40])
def test_larger_integers_are_refused(value: int) -> None:
    frame = {"type": "comm", "id": "a", "commId": "w", "phase": "msg", "data": {"n": value}}
    assert refusal(json.dumps(frame)).code is ErrorCode.BAD_FRAME


def test_frames_up_to_the_limit_pass_and_one_byte_more_is_too_large() -> None:
    empty = b'{"type":"cell_update","id":"a","cellId":"c","code":""}'
    fitting = empty[:-2] + b"x" * (limits.MAX_FRAME - len(empty)) + empty[-2:]
    command = decode_command(fitting)
    assert isinstance(command, commands.CellUpdate)
    assert len(command.code) == limits.MAX_FRAME - len(empty)
    assert refusal(fitting[:-2] + b"x" + fitting[-2:]).code is ErrorCode.TOO_LARGE


@pytest.mark.parametrize("kind", ["PING", "", "cell_created", "ping ", "graph:node-created", 5, None, [], {}, True])
def test_an_unknown_type_is_named_and_the_id_kept(kind: object) -> None:
    error = refusal(json.dumps({"type": kind, "id": "a1"}))
    assert (error.code, error.frame_id) == (ErrorCode.UNKNOWN_TYPE, "a1")
    assert "cell_update" in error.message


def test_a_frame_without_type_is_an_unknown_type() -> None:
    error = refusal('{"id":"a1"}')
    assert (error.code, error.frame_id) == (ErrorCode.UNKNOWN_TYPE, "a1")


def test_the_sentence_about_an_unknown_type_stays_short() -> None:
    assert len(refusal(json.dumps({"type": "x" * 100_000, "id": "a"})).message) < 1000


@pytest.mark.parametrize("bad", [None, 5, "", "x" * 65, ["a"], True])
def test_an_unusable_id_is_a_bad_field_without_id(bad: object) -> None:
    error = refusal(json.dumps({"type": "ping", "id": bad}))
    assert (error.code, error.frame_id) == (ErrorCode.BAD_FIELD, None)
    assert error.details is not None
    assert error.details["field"] == "id"


BAD_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"type": "cell_update", "code": ""}, "cellId"),
    "missing nullable": ({"type": "move_cell", "cellId": "c"}, "afterCellId"),
    "wrong type": ({"type": "cell_update", "cellId": "c", "code": 5}, "code"),
    "null code": ({"type": "cell_update", "cellId": "c", "code": None}, "code"),
    "empty cell id": ({"type": "delete_cell", "cellId": ""}, "cellId"),
    "long cell id": ({"type": "delete_cell", "cellId": "c" * 513}, "cellId"),
    "unknown cell type": ({"type": "create_cell", "cellType": "ruby"}, "cellType"),
    "negative index": ({"type": "create_cell", "cellType": "sql", "index": -1}, "index"),
    "fractional index": ({"type": "create_cell", "cellType": "sql", "index": 1.5}, "index"),
    "index as text": ({"type": "create_cell", "cellType": "sql", "index": "1"}, "index"),
    "unknown mode": ({"type": "set_cell", "cellId": "c", "mode": "sometimes"}, "mode"),
    "connection with a blank": ({"type": "set_cell", "cellId": "c", "connection": "my db"}, "connection"),
    "topic": ({"type": "subscribe", "topics": ["cell", "weather"]}, "topics[1]"),
    "topics as text": ({"type": "subscribe", "topics": "cell"}, "topics"),
    "since without seq": ({"type": "attach", "since": {"epoch": "e"}}, "since.seq"),
    "negative seq": ({"type": "attach", "since": {"epoch": "e", "seq": -1}}, "since.seq"),
    "client with a line end": ({"type": "attach", "client": "a\n"}, "client"),
    "limit of a page": ({"type": "variable_page", "name": "x", "limit": 1001}, "limit"),
    "buffers that are no base64": (
        {"type": "comm", "commId": "w", "phase": "msg", "data": {}, "buffers": ["!"]},
        "buffers[0]",
    ),
    "long connection string": ({"type": "update_db_connection", "connectionString": "x" * 4097}, "connectionString"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("frame", "field"), BAD_FIELDS.values(), ids=list(BAD_FIELDS))
def test_a_bad_field_is_named_with_what_is_wanted(frame: dict[str, Any], field: str, encoding: Encoding) -> None:
    error = refusal(pack({**frame, "id": "a1"}, encoding), encoding)
    assert (error.code, error.frame_id) == (ErrorCode.BAD_FIELD, "a1")
    assert error.details is not None
    assert error.details["field"] == field
    assert error.details["want"] in error.message


def test_a_refusal_does_not_repeat_a_secret() -> None:
    frame = {"type": "update_db_connection", "id": "a", "connectionString": {"url": "postgresql://u:hunter2@h/d"}}
    error = refusal(json.dumps(frame))
    assert error.code is ErrorCode.BAD_FIELD
    assert "hunter2" not in f"{error!r} {error} {error.details}"


def test_unknown_fields_are_ignored() -> None:
    frame = {**PING, "colour": "blue", "Type": 5, "nested": {"type": "attach"}}
    assert decode_command(json.dumps(frame)) == commands.Ping(id="a1")


def test_absent_and_null_mean_different_places() -> None:
    base = {"type": "create_cell", "id": "a", "cellType": "python"}
    absent, top = decode_command(json.dumps(base)), decode_command(json.dumps({**base, "afterCellId": None}))
    assert isinstance(absent, commands.CreateCell)
    assert isinstance(top, commands.CreateCell)
    assert absent.after_cell_id is msgspec.UNSET
    assert top.after_cell_id is None


def test_comm_buffers_are_base64_in_json_and_bytes_in_msgpack() -> None:
    frame = {"type": "comm", "id": "a", "commId": "w", "phase": "msg", "data": {}}
    text = pack({**frame, "buffers": [base64.b64encode(b"\x00\xff").decode()]}, "json")
    binary = pack({**frame, "buffers": [b"\x00\xff"]}, "msgpack")
    assert decode_command(text) == decode_command(binary, "msgpack")
    command = decode_command(text)
    assert isinstance(command, commands.Comm)
    assert command.buffers == (b"\x00\xff",)


@pytest.mark.parametrize("secret", sorted(commands.SECRET_FIELDS))
def test_secrets_never_show_in_a_repr(secret: str) -> None:
    shown = repr(EXAMPLES_WITH_SECRETS[secret])
    assert "hunter2" not in shown
    assert "***" in shown
    assert "a1" in shown  # what is not secret does show


EXAMPLES_WITH_SECRETS: dict[str, commands.Command] = {
    "key": commands.Attach(id="a1", key="hunter2"),
    "connection_string": commands.UpdateDbConnection(id="a1", connection_string="postgresql://u:hunter2@h/d"),
    "value": commands.StdinReply(id="a1", cell_id="c", value="hunter2"),
}

# Drawing is cheap; the health check measures how busy the machine is.
calm = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
words = st.text('aé\U0001f30a\n"\\', max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(words, children, max_size=4),
    max_leaves=6,
)  # fmt: skip
field_names = st.sampled_from(sorted({name for struct in commands.COMMANDS.values() for name in
                                      struct.__struct_encode_fields__} | {"extra"}))  # fmt: skip
frames = st.builds(
    lambda kind, fields: {**fields, "type": kind},
    st.sampled_from([*commands.COMMANDS, "nonsense"]),
    st.dictionaries(field_names, values | st.sampled_from(["python", "c1", "auto", "cell"]), max_size=4),
)


@calm
@given(frames, st.booleans())
def test_both_encodings_give_the_same_command_or_the_same_refusal(frame: dict[str, Any], with_id: bool) -> None:
    if with_id:
        frame = {**frame, "id": "a1"}

    def outcome(encoding: Encoding) -> object:
        try:
            return decode_command(pack(frame, encoding), encoding)
        except FrameError as error:
            return error.code, error.details, error.frame_id

    assert outcome("json") == outcome("msgpack")


@calm
@given(st.binary(max_size=200), st.sampled_from(ENCODINGS))
def test_any_bytes_give_a_command_or_a_typed_refusal(raw: bytes, encoding: Encoding) -> None:
    def outcome() -> ErrorCode | commands.Command:
        try:
            return decode_command(raw, encoding)
        except FrameError as error:
            return error.code

    typed = (ErrorCode.BAD_FRAME, ErrorCode.UNKNOWN_TYPE, ErrorCode.BAD_FIELD)
    assert isinstance(outcome(), commands.Command) or outcome() in typed


@calm
@given(frames)
def test_what_is_decoded_encodes_and_decodes_to_itself(frame: dict[str, Any]) -> None:
    try:
        command = decode_command(pack({**frame, "id": "a1"}, "json"))
    except FrameError:
        return
    for encoding in ENCODINGS:
        assert decode_command(codec.ENCODERS[encoding](command), encoding) == command


@pytest.mark.parametrize("kind", sorted(commands.COMMANDS))
def test_every_command_decodes_from_its_smallest_frame(kind: str) -> None:
    smallest: dict[str, dict[str, Any]] = {
        "create_cell": {"cellType": "python"},
        "cell_update": {"cellId": "c", "code": ""},
        "update_cells": {"cells": [{"cellId": "c", "code": ""}]},
        "rename_variable": {"name": "x", "newName": "y"},
        "delete_cell": {"cellId": "c"},
        "move_cell": {"cellId": "c", "afterCellId": None},
        "set_cell": {"cellId": "c"},
        "run_cell": {"cellId": "c"},
        "update_db_connection": {"connectionString": None},
        "complete": {"cellId": "c", "code": "", "cursor": 0},
        "inspect": {"cellId": "c", "code": "", "cursor": 0},
        "variable_page": {"name": "x"},
        "table_page": {"cellId": "c", "outputIndex": 0},
        "stdin_reply": {"cellId": "c", "value": ""},
        "comm": {"commId": "w", "phase": "open", "data": {}},
        "subscribe": {"topics": []},
    }
    for encoding in ENCODINGS:
        command = decode_command(pack({"type": kind, "id": "a1", **smallest.get(kind, {})}, encoding), encoding)
        assert type(command) is commands.COMMANDS[kind]


def test_content_of_a_kernel_request_names_the_bad_field() -> None:
    good = decode_content(kernel_messages.RegisterCellRequest, {"cell_id": "c", "code": "x = 1"})
    assert (good.cell_type, good.mode) == ("python", "auto")
    bad: dict[str, dict[str, Any]] = {
        "cells[0].code": {"cells": [{"cell_id": "c", "code": 5}]},
        "cells[1].cell_id": {"cells": [{"cell_id": "c", "code": ""}, {"code": ""}]},
        "cells": {},
    }
    for field, content in bad.items():
        with pytest.raises(TailraceError) as caught:
            decode_content(kernel_messages.RegisterCellsRequest, content)
        assert caught.value.code is ErrorCode.BAD_FIELD
        assert caught.value.details is not None
        assert caught.value.details["field"] == field
        assert re.search(re.escape(field), caught.value.message)


def test_the_url_of_a_database_shows_in_no_repr() -> None:
    request = kernel_messages.ConfigureDbRequest(name="pg", url="postgresql://u:hunter2@h/d")
    assert repr(request) == "ConfigureDbRequest(name='pg', url='***')"
