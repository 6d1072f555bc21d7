"""Many messages in one buffer, as `replay_reply` carries them. Knows byte frames, not what they say."""

import struct
from collections.abc import Iterable, Sequence


def join(messages: Iterable[Sequence[bytes]]) -> bytes:
    """Messages → one buffer: per message u32 frame count, u32 lengths, then the frames; all little-endian."""
    parts: list[bytes] = []
    for frames in messages:
        parts.append(struct.pack(f"<{len(frames) + 1}I", len(frames), *map(len, frames)))
        parts.extend(frames)
    return b"".join(parts)


def split(buffer: bytes | memoryview) -> list[list[bytes]]:
    """The inverse of `join`. Raises ValueError when the buffer is cut short."""
    view = memoryview(buffer)
    messages: list[list[bytes]] = []
    at = 0
    try:
        while at < len(view):
            (count,) = struct.unpack_from("<I", view, at)
            lengths = struct.unpack_from(f"<{count}I", view, at + 4)
            at += 4 * (count + 1)
            frames = []
            for length in lengths:
                frames.append(bytes(view[at : at + length]))
                at += length
            messages.append(frames)
    except struct.error:
        raise ValueError("the buffer of replayed messages is cut short") from None
    if at != len(view):
        raise ValueError("the buffer of replayed messages is cut short")
    return messages
