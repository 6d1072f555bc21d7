"""Jupyter messages as frames: build, sign, verify, take apart. Knows the messaging protocol 5.x, no sockets.

Each connection has its own session id: two clients that share one also share a ZeroMQ identity, and one hangs.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

DELIMITER = b"<IDS|MSG>"
VERSION = "5.4"


class BadMessageError(Exception):
    """Frames that are no signed Jupyter message of our kernel."""


class Message(msgspec.Struct, frozen=True):
    """One received message, verified and decoded."""

    kind: str
    header: dict[str, Any]
    parent: dict[str, Any]
    metadata: dict[str, Any]
    content: dict[str, Any]
    buffers: tuple[bytes, ...]
    size: int  # bytes of all frames

    @property
    def parent_id(self) -> str:
        return str(self.parent.get("msg_id", ""))

    @property
    def tailrace(self) -> dict[str, Any]:
        """Our part of the metadata: seq, cell_id?, run_id?."""
        found = self.metadata.get("tailrace")
        return found if isinstance(found, dict) else {}


class Session:
    """Signs and verifies for one connection."""

    def __init__(self, key: bytes):
        self.id = os.urandom(16).hex()
        self._mac = hmac.new(key, digestmod=hashlib.sha256) if key else None
        self._count = 0

    def pack(
        self, kind: str, content: Any, metadata: dict[str, Any] | None = None, *, cell_id: str | None = None
    ) -> tuple[str, list[bytes]]:
        """A request → (its msg_id, frames from the delimiter on). What it causes belongs to the cell `cell_id`."""
        self._count += 1
        msg_id = f"{self.id}_{self._count}"
        header = {
            "msg_id": msg_id,
            "msg_type": kind,
            "session": self.id,
            "username": "tailrace",
            "date": datetime.now(UTC).isoformat(),
            "version": VERSION,
        }
        if cell_id is not None:
            header["cell_id"] = cell_id
        return msg_id, self._frames(header, {}, metadata or {}, content)

    def answer(self, kind: str, to: Mapping[str, Any], content: Any) -> list[bytes]:
        """Frames of a message that answers the one with this header."""
        _, frames = self.pack(kind, content)
        return self._frames(orjson.loads(frames[2]), to, {}, content)

    def _frames(self, *parts: Any) -> list[bytes]:
        packed = [orjson.dumps(part) for part in parts]
        return [DELIMITER, self._sign(packed), *packed]

    def _sign(self, parts: Sequence[bytes]) -> bytes:
        if self._mac is None:
            return b""
        mac = self._mac.copy()
        for part in parts:
            mac.update(part)
        return mac.hexdigest().encode()

    def unpack(self, frames: Sequence[bytes]) -> Message:
        """Raises BadMessageError: no delimiter, too short, wrong signature, not JSON objects."""
        try:
            start = frames.index(DELIMITER)
        except ValueError:
            raise BadMessageError("no delimiter") from None
        signature, parts = frames[start + 1 : start + 2], frames[start + 2 : start + 6]
        if len(parts) < 4 or not hmac.compare_digest(signature[0], self._sign(parts)):
            raise BadMessageError("wrong signature or too few frames")
        try:
            header, parent, metadata, content = (_loads(part) for part in parts)
            return Message(
                str(header["msg_type"]),
                header,
                parent,
                metadata,
                content,
                tuple(frames[start + 6 :]),
                sum(map(len, frames)),
            )
        except (ValueError, KeyError, TypeError):
            raise BadMessageError("not JSON objects") from None


def _loads(part: bytes) -> Any:
    """A peer with the standard packer may send NaN, which is not JSON."""
    try:
        return orjson.loads(part)
    except ValueError:
        return json.loads(part)
