"""One file of a notebook beside its journal, for what is kept of a session. Knows the file, not what it means.

It is written with the notebook file, when the cells have been quiet for a moment, and while a run is under way before
the kernel forgets what it published.
"""

from pathlib import Path

import msgspec

from tailrace_gateway.disk import replace_file
from tailrace_gateway.kept_session import KeptSession
from tailrace_gateway.state_directory import private_folder

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(type=KeptSession)


class OutputStore:
    """All methods block: call them in a thread, after quiet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "outputs.msgpack"

    def save(self, session: KeptSession) -> None:
        """Replace what is kept. Raises OSError: outputs are no reason to stop editing, so the caller only logs it."""
        private_folder(self._folder)
        replace_file(self._path, _encoder.encode(session))

    def load(self) -> KeptSession:
        """Empty when nothing is kept or it cannot be read."""
        try:
            return _decoder.decode(self._path.read_bytes())
        except (OSError, msgspec.MsgspecError):
            return KeptSession()
