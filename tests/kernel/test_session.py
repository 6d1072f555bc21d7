"""Signatures are checked before they count, and an answer takes the encoding of its request."""

import hashlib
import hmac
import json

import pytest
from jupyter_client.session import Session

from tailrace_kernel.session import (
    MAX_DIGESTS,
    TailraceSession,
    adopt,
    is_msgpack,
    pack_json,
    pack_msgpack,
    unpack_msgpack,
)


def sessions() -> tuple[TailraceSession, Session]:
    """Ours, and a stock one of a client with the same key."""
    return adopt(Session(key=b"k")), Session(key=b"k", packer="json")


def frames_of(session: Session, kind: str = "graph_request") -> list[bytes]:
    return session.serialize(session.msg(kind, {"n": 1}))[1:]


def test_a_stock_message_is_read() -> None:
    ours, client = sessions()
    message = ours.deserialize(frames_of(client))
    assert (message["msg_type"], message["content"], "encoding" in message) == ("graph_request", {"n": 1}, False)


def test_a_message_counts_once_and_only_when_it_is_genuine() -> None:
    ours, client = sessions()
    frames = frames_of(client)
    with pytest.raises(ValueError, match="Invalid signature"):
        ours.deserialize([*frames[:4], b'{"n": 2}'])
    assert ours.deserialize(frames, content=False)["msg_type"] == "graph_request"
    assert ours.deserialize(frames)["content"] == {"n": 1}
    with pytest.raises(ValueError, match="Duplicate"):
        ours.deserialize(frames)


def test_digests_are_bounded() -> None:
    ours, client = sessions()
    for number in range(MAX_DIGESTS + 10):
        ours._add_digest(str(number).encode())
    assert len(ours.digest_history) == MAX_DIGESTS
    ours.deserialize(frames_of(client))
    assert len(ours.digest_history) == MAX_DIGESTS


def test_an_answer_takes_the_encoding_of_its_request() -> None:
    ours, client = sessions()
    signed = [pack_msgpack(part) for part in (client.msg_header("graph_request"), {}, {}, {"n": 1})]
    request = ours.deserialize([client.sign(signed), *signed])
    assert request["content"] == {"n": 1}
    reply = ours.serialize(ours.msg("graph_reply", {"x": 2}, parent=request))
    assert is_msgpack(reply[2])
    assert unpack_msgpack(reply[5]) == {"x": 2}
    stock = ours.serialize(ours.msg("graph_reply", {"x": 2}, parent=ours.deserialize(frames_of(client))))
    assert stock[5] == b'{"x":2}'


@pytest.mark.parametrize("frames", [[], [b"s", b"{}"], [b"s", b"[", b"{}", b"{}", b"{}"]])
def test_what_is_no_message_is_a_value_error(frames: list[bytes]) -> None:
    ours, _ = sessions()
    if len(frames) == 5:
        frames = [ours.sign(frames[1:]), *frames[1:]]
    with pytest.raises(ValueError, match=r"."):
        ours.deserialize(frames)


def test_message_ids_differ() -> None:
    ours, _ = sessions()
    assert len({ours.msg_id for _ in range(1000)}) == 1000


def test_text_that_utf8_cannot_hold_is_escaped_and_the_rest_is_kept() -> None:
    value = {"text": "a\ud800b", "names": ["é", ("\udfff",)], "big": 2**70, "n": 1}
    assert json.loads(pack_json(value)) == {"text": "a\\ud800b", "names": ["é", ["\\udfff"]], "big": 2**70, "n": 1}
    assert unpack_msgpack(pack_msgpack({"text": "a\ud800b"})) == {"text": "a\\ud800b"}
    assert json.loads(pack_json({"text": "plain"})) == {"text": "plain"}


@pytest.mark.parametrize("key", [b"k", b"k" * 64, b"k" * 65, b"k" * 1000])
def test_signatures_are_hmac_sha256(key: bytes) -> None:
    frames = [b"", b"{}", b'{"a":1}', bytes(range(256)) * 300]
    expected = hmac.new(key, b"".join(frames), hashlib.sha256).hexdigest().encode()
    assert adopt(Session(key=key)).sign(frames) == expected == Session(key=key).sign(frames)


def test_another_scheme_and_no_key_at_all_sign_as_upstream_does() -> None:
    stock = Session(key=b"k", signature_scheme="hmac-md5")
    expected = stock.sign([b"a"])
    assert adopt(stock).sign([b"a"]) == expected
    assert len(expected) == 32
    assert adopt(Session(key=b"")).sign([b"a"]) == b""


def test_an_answer_packed_beforehand_reads_as_any_other() -> None:
    ours, client = sessions()
    request = frames_of(client)
    message = ours.deserialize(request)
    frames = ours.answer_frames("graph_reply", b'{"status":"ok"}', message, [b"peer"])
    assert frames[:2] == [b"peer", b"<IDS|MSG>"]
    answer = client.deserialize(frames[2:])
    assert (answer["msg_type"], answer["content"]) == ("graph_reply", {"status": "ok"})
    assert answer["parent_header"]["msg_id"] == message["msg_id"]
    stock = client.deserialize(ours.serialize(ours.msg("graph_reply"))[1:])
    assert answer["header"].keys() == stock["header"].keys()
