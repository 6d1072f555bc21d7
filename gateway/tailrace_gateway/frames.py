"""Records as bytes in a segment: header, then frames of length, digest, payload. Pure.

Each digest (BLAKE2b, 16 bytes) covers the digest before it, the length and the payload; the first covers the header,
which holds the last digest of the segment before. So a frame that is torn, changed, lost, out of its place or of
another segment ends the readable part; nothing after it is believed.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from tailrace_gateway.records import Entry

MAGIC = b"tailrace journal 1\n"
MAX_PAYLOAD = 2**30  # bytes; far more than any record or image comes to
DIGEST = 16  # bytes
NO_CHAIN = bytes(DIGEST)  # before the first segment

_HEADER = struct.Struct(f">Q{DIGEST}s{DIGEST}s")  # number, random words, last digest of the segment before
_LENGTH = struct.Struct(">I")
_START = len(MAGIC) + _HEADER.size
_FRAME = _LENGTH.size + DIGEST

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Entry] = msgspec.msgpack.Decoder(type=Entry)


@dataclass(frozen=True, slots=True)
class Readable:
    """What could be read: entries, bytes they take from the start of the file, and the chain's last digest."""

    entries: tuple[Entry, ...]
    length: int
    chain: bytes


def header(number: int, random: bytes, former: bytes) -> tuple[bytes, bytes]:
    """First bytes of segment `number` after one that ended with digest `former`, and the start of its own chain.

    `random`: 16 bytes that no other segment has, so that blocks of a deleted segment never fit.
    """
    raw = MAGIC + _HEADER.pack(number, random, former)
    return raw, blake2b(raw, digest_size=DIGEST).digest()


def encode(entries: Iterable[Entry], chain: bytes) -> tuple[bytes, bytes]:
    """Frames of these entries after the one with digest `chain`, and the new last digest."""
    parts: list[bytes] = []
    for entry in entries:
        payload = _encoder.encode(entry)
        length = _LENGTH.pack(len(payload))
        chain = _digest(chain, length, payload)
        parts += (length, chain, payload)
    return b"".join(parts), chain


def decode(raw: bytes) -> Readable:
    """The longest whole prefix of a segment. A file without our header reads as empty, of length 0."""
    if len(raw) < _START or not raw.startswith(MAGIC):
        return Readable((), 0, NO_CHAIN)
    entries: list[Entry] = []
    position, chain = _START, blake2b(raw[:_START], digest_size=DIGEST).digest()
    while position + _FRAME <= len(raw):
        (length,) = _LENGTH.unpack_from(raw, position)
        start = position + _FRAME
        payload = raw[start : start + length]
        digest = raw[position + _LENGTH.size : start]
        if length > MAX_PAYLOAD or len(payload) < length:
            break
        if _digest(chain, raw[position : position + _LENGTH.size], payload) != digest:
            break
        try:
            entries.append(_decoder.decode(payload))
        except msgspec.MsgspecError:
            break  # whole, but of a version we do not know
        position, chain = start + length, digest
    return Readable(tuple(entries), position, chain)


def _digest(chain: bytes, length: bytes, payload: bytes) -> bytes:
    digest = blake2b(chain, digest_size=DIGEST)
    digest.update(length)
    digest.update(payload)
    return digest.digest()
