"""Bytes ↔ structs, for both encodings, with every malformed input turned into a typed error.

Knows structs and encodings; must not know sockets. Encoders are shared module-wide: msgspec's are stateless
between calls.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from tailrace_protocol.commands import COMMANDS, AnyCommand
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.limits import MAX_FRAME, MAX_INTEGER, MAX_NESTING, MIN_INTEGER

Encoding = Literal["json", "msgpack"]
T = TypeVar("T")

_json = msgspec.json.Encoder()
_msgpack = msgspec.msgpack.Encoder()
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode_json(frame: Any) -> bytes:
    return _json.encode(frame)


def encode_msgpack(frame: Any) -> bytes:
    return _msgpack.encode(frame)


ENCODERS: Mapping[Encoding, Callable[[Any], bytes]] = {"json": encode_json, "msgpack": encode_msgpack}


class FrameError(TailraceError):
    """A client's frame that cannot be taken; `frame_id` is its `id` when it had a usable one."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        frame_id: str | None = None,
    ) -> None:
        super().__init__(code, message, details=details)
        self.frame_id = frame_id


def decode_command(raw: bytes | str, encoding: Encoding = "json") -> AnyCommand:
    """One frame → one command. Raises FrameError: too_large, bad_frame, unknown_type or bad_field."""
    data = raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else raw
    frame = _decode_object(data, encoding)
    frame_id = frame.get("id")
    usable = frame_id if isinstance(frame_id, str) and 1 <= len(frame_id) <= 64 else None
    try:
        _check_tree(frame)
    except FrameError as error:
        error.frame_id = usable
        raise
    kind = frame.get("type")
    struct = COMMANDS.get(kind) if isinstance(kind, str) else None
    if struct is None:
        known = ", ".join(sorted(COMMANDS))
        message = f"Unknown frame type {_short(kind)}. Known types: {known}."
        raise FrameError(ErrorCode.UNKNOWN_TYPE, message, frame_id=usable)
    try:
        command = msgspec.convert(frame, struct)
    except msgspec.ValidationError as error:
        path, want = _field_of(str(error))
        raise FrameError(
            ErrorCode.BAD_FIELD,
            f"Field {path!r} of {kind}: {want}.",
            details={"field": path, "want": want},
            frame_id=usable,
        ) from None
    return command  # type: ignore[return-value]


def _decode_object(data: bytes, encoding: Encoding) -> dict[str, Any]:
    if len(data) > MAX_FRAME:
        raise FrameError(ErrorCode.TOO_LARGE, f"A frame may hold {MAX_FRAME} bytes; this one has {len(data)}.")
    try:
        frame = msgspec.json.decode(data) if encoding == "json" else msgspec.msgpack.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise FrameError(ErrorCode.BAD_FRAME, f"The frame is not valid {encoding}.") from None
    if not isinstance(frame, dict) or not all(isinstance(key, str) for key in frame):
        raise FrameError(ErrorCode.BAD_FRAME, "A frame is one object with a `type` and an `id`.")
    return frame


def _check_tree(frame: dict[str, Any]) -> None:
    """Nesting, text and integers that both encodings can carry; without recursion: the input is hostile."""
    todo: list[tuple[Any, int]] = [(frame, 1)]
    while todo:
        value, depth = todo.pop()
        match value:
            case str():
                if not value.isascii() and _SURROGATE.search(value):
                    raise FrameError(ErrorCode.BAD_FRAME, "Text must be Unicode without lone surrogates.")
            case int():
                if not MIN_INTEGER <= value <= MAX_INTEGER:
                    raise FrameError(ErrorCode.BAD_FRAME, "An integer must fit in 64 bits; send larger ones as text.")
            case None | float() | bytes():
                pass
            case dict() | list():
                if depth > MAX_NESTING:
                    raise FrameError(ErrorCode.BAD_FRAME, f"A frame may nest {MAX_NESTING} levels.")
                todo.extend((item, depth + 1) for item in _parts(value))
            case _:
                raise FrameError(ErrorCode.BAD_FRAME, "A msgpack frame holds no extension types or timestamps.")


def _parts(value: dict[Any, Any] | list[Any]) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
        return
    for key, item in value.items():
        if not isinstance(key, str):
            raise FrameError(ErrorCode.BAD_FRAME, "The keys of every object in a frame must be text.")
        yield key
        yield item


def decode_content(struct: type[T], content: Mapping[str, Any]) -> T:
    """Content of a kernel request → its struct. Raises TailraceError bad_field, which names the field."""
    try:
        return msgspec.convert(content, struct)
    except msgspec.ValidationError as error:
        path, want = _field_of(str(error))
        raise TailraceError(
            ErrorCode.BAD_FIELD, f"Field {path!r}: {want}.", details={"field": path, "want": want}
        ) from None


def to_builtins(frame: Any) -> Any:
    """A struct → plain dicts and lists, spelled as on the wire."""
    return msgspec.to_builtins(frame)


_PATH = re.compile(r" - at `(?:key` in `)?\$(?P<path>.*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<name>[^`]+)`")


def _field_of(text: str) -> tuple[str, str]:
    """msgspec's sentence → (path of the field, what was wanted)."""
    path = ""
    if match := _PATH.search(text):
        path = match["path"].lstrip(".")
        text = text[: match.start()]
    if match := _MISSING.search(text):
        path = f"{path}.{match['name']}".lstrip(".")
        text = "is required"
    return path, text[:1].lower() + text[1:]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
