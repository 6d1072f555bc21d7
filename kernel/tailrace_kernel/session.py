"""The kernel's signing session: each message in its sender's encoding, and signatures checked before they count.

Knows Jupyter's wire format; must not know handlers, cells or sockets. The application makes the session before
it makes the kernel, so the kernel changes the class of the existing object (`adopt`).
"""

import itertools
import os
from collections import deque
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any

import msgpack
import msgspec
import orjson
from ipykernel.iostream import BackgroundSocket, IOPubThread
from jupyter_client._version import protocol_version
from jupyter_client.adapter import adapt
from jupyter_client.jsonutil import json_default
from jupyter_client.session import DELIM, Session, extract_header, json_packer

from tailrace_kernel.signature import Signer

MESSAGE_PARTS = 5  # signature, header, parent header, metadata, content
JSON_OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z
MAX_DIGESTS = 65_536  # signatures remembered against replayed messages


def is_msgpack(header: bytes) -> bool:
    """Whether a header frame is a msgpack map: fixmap, map 16 or map 32. JSON starts with a brace or white space."""
    return bool(header) and (0x80 <= header[0] <= 0x8F or header[0] in (0xDE, 0xDF))


def pack_json(value: Any) -> bytes:
    """As upstream's orjson packer, but text that no UTF-8 can hold (a lone surrogate) is escaped, never lost."""
    try:
        return orjson.dumps(value, default=json_default, option=JSON_OPTIONS)
    except TypeError:  # also integers beyond 64 bits, and keys that are no text
        packed: bytes = json_packer(escape_surrogates(value))
        return packed


def pack_content(content: msgspec.Struct) -> bytes:
    """A struct of ours as JSON."""
    try:
        return msgspec.json.encode(content)
    except UnicodeEncodeError:  # a cell id may hold a lone surrogate, which is spelled out
        return pack_json(msgspec.to_builtins(content))


def pack_msgpack(value: Any) -> bytes:
    try:
        packed: bytes = msgpack.packb(value, default=json_default)
    except UnicodeEncodeError:
        packed = msgpack.packb(escape_surrogates(value), default=json_default)
    return packed


def escape_surrogates(value: Any) -> Any:
    """The same lists and dictionaries with `\\ud800` spelled out wherever text holds a lone surrogate."""
    match value:
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {escape_surrogates(key): escape_surrogates(item) for key, item in value.items()}
        case list() | tuple():
            return [escape_surrogates(item) for item in value]
        case _:
            return value


def unpack_json(data: bytes) -> Any:
    return orjson.loads(data)


def unpack_msgpack(data: bytes) -> Any:
    return msgpack.unpackb(data, strict_map_key=False)


def unpack_either(data: bytes) -> Any:
    """A dictionary in either encoding: ipykernel looks into comm messages before they are read."""
    return unpack_msgpack(data) if is_msgpack(data) else unpack_json(data)


class TailraceSession(Session):
    """JSON or msgpack per message; a signature is recorded only after it was verified."""

    _counter: "itertools.count[int]"  # of messages sent
    _digest_order: deque[bytes]  # oldest first
    _signer: Signer | None = None  # of the scheme that everybody uses; None for any other
    _sender: tuple[str, str]  # user name and session, as headers say them

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> dict[str, Any]:
        """Frames from the signature on → message; `message["encoding"]` says how to answer. Raises ValueError."""
        frames = [bytes(part) if copy else part.bytes for part in msg_list[:MESSAGE_PARTS]]
        if len(frames) < MESSAGE_PARTS:
            raise ValueError(f"a message has at least {MESSAGE_PARTS} parts after the delimiter")
        if self.auth is not None:
            self._verify(frames[0], frames[1:], record=content)
        encoded = is_msgpack(frames[1])
        unpack = unpack_msgpack if encoded else unpack_json
        header = unpack(frames[1])
        message: dict[str, Any] = {
            "header": header,  # its date stays text: to parse it takes longer than all the rest, and nobody asks
            "msg_id": header["msg_id"],
            "msg_type": header["msg_type"],
            "parent_header": unpack(frames[2]),
            "metadata": unpack(frames[3]),
            "content": unpack(frames[4]) if content else frames[4],
            "buffers": [memoryview(part if copy else part.bytes) for part in msg_list[MESSAGE_PARTS:]],
        }
        message = adapt(message)
        if encoded:
            message["encoding"] = "msgpack"
        return message

    @staticmethod
    def bytes_of(frame: Any) -> bytes:
        """The bytes of an uncopied frame."""
        content: bytes = frame.bytes
        return content

    def peek(self, msg_list: Any) -> dict[str, Any]:
        """The whole message of uncopied frames, verified but not recorded: it will be read once more."""
        message = self.deserialize(msg_list, content=False, copy=False)
        unpack = unpack_msgpack if message.get("encoding") == "msgpack" else unpack_json
        message["content"] = unpack(message["content"])
        message["frames"] = [part.bytes for part in msg_list[1:MESSAGE_PARTS]]
        return message

    def note_read(self, msg_list: Any) -> None:
        """What `peek` gave is dealt with and will not be read again: a copy of it is refused from now on."""
        if self.auth is not None:
            self._add_digest(msg_list[0].bytes)

    def _verify(self, signature: bytes, signed: list[bytes], record: bool) -> None:
        """Upstream records first: there, a forged copy that carries a captured signature blocks the real message."""
        if not compare_digest(signature, self.sign(signed)):
            raise ValueError("Invalid signature")
        if signature in self.digest_history:
            raise ValueError("Duplicate signature")
        if record:
            self._add_digest(signature)

    def _add_digest(self, signature: bytes) -> None:
        """One out for one in; upstream sorts 65,536 of them at once, a pause of 50 ms."""
        order = self._digest_order
        self.digest_history.add(signature)
        order.append(signature)
        if len(order) > MAX_DIGESTS:
            self.digest_history.discard(order.popleft())

    def sign(self, msg_list: Any) -> bytes:
        if self._signer is None:
            signature: bytes = super().sign(msg_list)
            return signature
        return self._signer.sign(msg_list)

    def header_frame(self, msg_type: str) -> bytes:
        """A header as JSON, ready to send: what `msg_header` says, in a third of the time."""
        username, session = self._sender
        now = datetime.now(UTC)
        header = {"msg_id": self.msg_id, "msg_type": msg_type, "username": username, "session": session}
        return pack_json({**header, "date": now, "version": protocol_version})

    def answer_frames(self, kind: str, body: bytes, request: dict[str, Any], ident: list[bytes]) -> list[bytes]:
        """The frames of an answer in JSON whose content is packed already."""
        frames = request.get("frames")
        parent = frames[0] if frames else pack_json(request["header"])
        signed = [self.header_frame(kind), parent, b"{}", body]
        return [*ident, DELIM, self.sign(signed), *signed]

    @property
    def msg_id(self) -> str:
        """Several threads send, so the count is taken atomically."""
        return f"{self.session}_{os.getpid()}_{next(self._counter)}"

    def msg(
        self,
        msg_type: str,
        content: Any = None,
        parent: Any = None,
        header: Any = None,
        metadata: Any = None,
    ) -> dict[str, Any]:
        message: dict[str, Any] = super().msg(msg_type, content, parent, header, metadata)
        if parent and parent.get("encoding") == "msgpack":
            message["encoding"] = "msgpack"
        return message

    def send(
        self, stream: Any, msg_or_type: Any, content: Any = None, parent: Any = None, *rest: Any, **more: Any
    ) -> Any:
        """An answer takes the encoding of its request; what everybody hears (IOPub) is JSON."""
        if isinstance(stream, (BackgroundSocket, IOPubThread)):
            if isinstance(msg_or_type, dict):
                msg_or_type.pop("encoding", None)
            parent = extract_header(parent)
        return super().send(stream, msg_or_type, content, parent, *rest, **more)

    def serialize(self, msg: dict[str, Any], ident: list[bytes] | bytes | None = None) -> list[bytes]:
        if msg.get("encoding") != "msgpack":
            frames: list[bytes] = super().serialize(msg, ident)
            return frames
        signed = [pack_msgpack(msg[part]) for part in ("header", "parent_header", "metadata")]
        content = msg.get("content")
        signed.append(content if isinstance(content, bytes) else pack_msgpack(content or {}))
        identities = ident if isinstance(ident, list) else [] if ident is None else [ident]
        return [*identities, DELIM, self.sign(signed), *signed]


def adopt(session: Session) -> TailraceSession:
    """Turn the application's session into ours, in place: streams and display hooks hold references to it."""
    session.__class__ = TailraceSession
    assert isinstance(session, TailraceSession)
    session.pack = pack_json
    session.unpack = unpack_either
    session._counter = itertools.count(session.message_count)
    session._digest_order = deque(session.digest_history)
    is_usual = session.auth is not None and session.signature_scheme == "hmac-sha256"
    session._signer = Signer(session.key) if is_usual else None
    session._sender = (session.username, session.session)
    return session
