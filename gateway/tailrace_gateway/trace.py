"""Every frame of every socket as one JSON line: a bug in the field becomes a recording. Secrets are masked.

A line: `us` (microseconds since the first), `direction` (in, out), `notebook`, `client`, `type`, `id`, `seq`, `cause`,
`bytes`, and the `frame` itself. Knows frames and one file; must not know what a frame means.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

import msgspec

from tailrace_protocol.codec import Encoding, to_builtins
from tailrace_protocol.commands import SECRET_FIELDS, Command

Direction = Literal["in", "out"]
MASK = "***"
MASKED = frozenset("".join([word.split("_")[0], *map(str.title, word.split("_")[1:])]) for word in SECRET_FIELDS)
MAX_FRAME = 256 * 2**10  # bytes of a frame that is written whole; of a larger one its head only


class Trace:
    """Opens the file, readable by its owner only, and writes over what was there. Raises OSError."""

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file: TextIO = os.fdopen(descriptor, "w", encoding="utf-8")
        self._began = time.monotonic_ns()

    def came(self, notebook: str, client: str, size: int, command: Command | None) -> None:
        """A frame from a client; null: it could not be read."""
        frame = masked(to_builtins(command)) if command is not None else {}
        self._write("in", notebook, client, size, frame)

    def went(self, notebook: str, client: str, raw: bytes, encoding: Encoding) -> None:
        """A frame to a client, which may be an array of frames."""
        decode = msgspec.json.decode if encoding == "json" else msgspec.msgpack.decode
        frames = decode(raw)
        for frame in frames if isinstance(frames, list) else [frames]:
            self._write("out", notebook, client, len(raw), frame)

    def _write(self, direction: Direction, notebook: str, client: str, size: int, frame: Mapping[str, Any]) -> None:
        line = {
            "us": (time.monotonic_ns() - self._began) // 1_000,
            "direction": direction,
            "notebook": notebook,
            "client": client,
            **{name: frame.get(name) for name in ("type", "id", "seq", "cause")},
            "bytes": size,
        }
        if size <= MAX_FRAME or line["type"] == "snapshot":
            line["frame"] = frame
        print(json.dumps(line, ensure_ascii=False, default=repr), file=self._file, flush=True)

    def close(self) -> None:
        self._file.close()


def masked(frame: Mapping[str, Any]) -> dict[str, Any]:
    """The frame with every secret field masked."""
    return {name: MASK if name in MASKED and value is not None else value for name, value in frame.items()}
