"""Outputs of a notebook whose file has no place for them, kept beside its journal. A crash takes those of the last
2 s at most: they are written with the notebook file, when the cells have been quiet for a moment.

Knows one file per notebook; must not know what an output shows.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tailrace_gateway.disk import replace_file
from tailrace_gateway.state_directory import private_folder
from tailrace_protocol.objects import Cell, CellError, Output, Status


class KeptOutputs(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a cell showed. `code_hash` says of which code: outputs of other code are still shown, as stale."""

    code_hash: str
    outputs: tuple[Output, ...]
    status: Status
    error: CellError | None = None
    seconds: float | None = None
    execution_count: int | None = None
    omitted_bytes: int | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(type=dict[str, KeptOutputs])


class OutputStore:
    """All methods block: call them in a thread, after quiet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "outputs.msgpack"

    def save(self, outputs: Mapping[str, KeptOutputs]) -> None:
        """Replace what is kept. Raises OSError: outputs are no reason to stop editing, so the caller only logs it."""
        private_folder(self._folder)
        replace_file(self._path, _encoder.encode(dict(outputs)))

    def load(self) -> dict[str, KeptOutputs]:
        """By cell id; empty when nothing is kept or it cannot be read."""
        try:
            return _decoder.decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return {}


def kept_of(cell: Cell, code_hash: str) -> KeptOutputs | None:
    """What to keep of a cell; null when it shows nothing and never ran."""
    if not cell.outputs and cell.error is None and cell.status == "idle":
        return None
    return KeptOutputs(
        code_hash=code_hash,
        outputs=cell.outputs,
        status=cell.status,
        error=cell.error,
        seconds=cell.seconds,
        execution_count=cell.execution_count,
        omitted_bytes=cell.omitted_bytes,
    )
