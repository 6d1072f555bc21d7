"""Records as bytes in a file: length, chained checksum, payload. Pure.

Each checksum also covers the checksum before it, so a frame that is torn, changed, lost or out of its place ends the
readable part; nothing after it is believed.
"""

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from tailrace_gateway.records import Entry

MAGIC = b"tailrace journal 1\n"
MAX_PAYLOAD = 2**30  # bytes; far more than any record or image comes to
_HEAD = struct.Struct(">II")  # length and checksum of a payload

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(type=Entry)


@dataclass(frozen=True, slots=True)
class Readable:
    """What could be read: entries, bytes they take from the start of the file, and the chain's last checksum."""

    entries: tuple[Entry, ...]
    length: int
    chain: int


def encode(entries: Iterable[Entry], chain: int) -> tuple[bytes, int]:
    """Frames of these entries after the one with checksum `chain`, and the new last checksum."""
    parts: list[bytes] = []
    for entry in entries:
        payload = _encoder.encode(entry)
        chain = zlib.crc32(payload, chain)
        parts += (_HEAD.pack(len(payload), chain), payload)
    return b"".join(parts), chain


def decode(raw: bytes) -> Readable:
    """The longest whole prefix of a segment. A file without our first line reads as empty, of length 0."""
    if not raw.startswith(MAGIC):
        return Readable((), 0, 0)
    entries: list[Entry] = []
    position, chain = len(MAGIC), start_of_chain()
    while position + _HEAD.size <= len(raw):
        length, checksum = _HEAD.unpack_from(raw, position)
        start = position + _HEAD.size
        payload = raw[start : start + length]
        if length > MAX_PAYLOAD or len(payload) < length or zlib.crc32(payload, chain) != checksum:
            break
        try:
            entries.append(_decoder.decode(payload))
        except msgspec.MsgspecError:
            break  # whole, but of a version we do not know
        position, chain = start + length, checksum
    return Readable(tuple(entries), position, chain)


def start_of_chain() -> int:
    return zlib.crc32(MAGIC)
