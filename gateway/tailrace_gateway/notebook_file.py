"""The notebook file on disk: read, and replaced whole or not at all.

Knows bytes, temp files and renames; `percent` and `ipynb` know the two formats. Reading runs no code.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tailrace_gateway.cell_ids import same_cells, with_ids
from tailrace_gateway.disk import drafts, replace_file
from tailrace_gateway.ipynb import IpynbText, read_ipynb, rewrite_ipynb
from tailrace_gateway.ipynb_outputs import Blob
from tailrace_gateway.percent import PercentText, read_percent, rewrite_percent
from tailrace_gateway.records import StoredCell
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.limits import MAX_CELLS, MAX_CODE
from tailrace_protocol.objects import Output, Settings

MAX_FILE = 64 * 2**20  # bytes
BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file says: cells in order, at least one; outputs by cell id and settings (`.ipynb` only)."""

    cells: tuple[StoredCell, ...]
    outputs: Mapping[str, tuple[Output, ...]]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Written:
    """`file_hash` is the SHA-256 of the bytes on disk; `changed` is false when they were these already."""

    file_hash: str
    changed: bool


@dataclass(frozen=True, slots=True)
class ChangedOnDisk:
    """The file is not the one last read or written: nothing was written.

    `contents` and `file_hash` are null when it was deleted; `contents` alone when it cannot be read as a notebook.
    Call `accept` to take it as the one to write over.
    """

    contents: Contents | None
    file_hash: str | None


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of the file as it was read or written."""

    signature: tuple[int, int, int] | None  # size, mtime in ns, inode; null: no such file
    file_hash: str | None
    document: PercentText | IpynbText
    bom: bool = False
    crlf: bool = False

    def contents(self) -> Contents:
        document = self.document
        cells = document.cells or with_ids([StoredCell(id="", type="python")])
        if isinstance(document, IpynbText):
            return Contents(cells, document.outputs, document.settings)
        return Contents(cells, {}, Settings())


class NotebookFile:
    """One `.py` (percent) or `.ipynb` file. All methods block: call them in a thread, one at a time."""

    def __init__(self, path: Path) -> None:
        """Raises TailraceError unreadable_notebook for another suffix. The file need not exist: `write` makes it."""
        if path.suffix not in {".py", ".ipynb"}:
            _unreadable(path, "its name ends neither in .py nor in .ipynb", "Rename or convert it")
        self.path = path
        self.keeps_outputs = path.suffix == ".ipynb"
        self._last = _Version(None, None, IpynbText() if self.keeps_outputs else PercentText())

    @property
    def file_hash(self) -> str | None:
        """SHA-256 of the bytes last read or written; null before the file exists."""
        return self._last.file_hash

    @property
    def cells(self) -> tuple[StoredCell, ...]:
        """The cells of the version last read or written: the base for merging an outside edit."""
        return self._last.contents().cells

    def read(self) -> Contents:
        """Raises TailraceError unreadable_notebook, not_found, too_large or too_many."""
        version = self._load()
        if version.signature is None:
            message = f"There is no file {self.path.name}. It may have been moved or deleted; look at the list again."
            raise TailraceError(ErrorCode.NOT_FOUND, message)
        self._last = version
        return version.contents()

    def clear(self) -> None:
        """Remove what a gateway that was killed while writing left beside the file. For the owner of the journal."""
        for draft in drafts(self.path.resolve()):
            with suppress(OSError):
                draft.unlink()

    def write(
        self,
        cells: Sequence[StoredCell],
        *,
        outputs: Mapping[str, tuple[Output, ...]] | None = None,
        settings: Settings | None = None,
        blob: Blob | None = None,
    ) -> Written | ChangedOnDisk:
        """Replace the file. Raises TailraceError read_only or disk_full; the old file is then still whole.

        Outputs and settings go into `.ipynb` only; null keeps those of the file.
        """
        if changed := self.poll():
            return changed
        last = self._last
        document = self._document(cells, last, outputs, settings, blob)
        if document.cells and not same_cells(document.cells, cells):
            message = f"{self.path.name} was not saved: its format could not say what the notebook holds."
            raise TailraceError(ErrorCode.INTERNAL, message)
        raw = _encode(document.text, last)
        file_hash = _hash(raw)
        if file_hash == last.file_hash:
            return Written(file_hash, changed=False)
        try:
            signature = _replace_file(self.path, raw, last.signature)
        except OSError as error:
            _not_written(self.path, error)
        if signature is None:
            return self.poll() or self.write(cells, outputs=outputs, settings=settings, blob=blob)
        self._last = _Version(signature, file_hash, document, last.bom, last.crlf)
        return Written(file_hash, changed=True)

    def poll(self) -> ChangedOnDisk | None:
        """Has somebody else written the file since? Looks at the bytes only when size, time or inode changed."""
        if _signature(self.path) == self._last.signature:
            return None
        try:
            version = self._load()
        except TailraceError:
            return ChangedOnDisk(None, _hash_of(self.path))
        if version.file_hash == self._last.file_hash:
            self._last = version  # touched, not changed
            return None
        return ChangedOnDisk(version.contents() if version.signature else None, version.file_hash)

    def accept(self, changed: ChangedOnDisk) -> None:
        """The next `write` may replace this version of the file. Raises as `read`; keeps its formatting if it can."""
        version = self._load() if changed.contents is not None else self._bare_version()
        if version.file_hash == changed.file_hash:
            self._last = version

    def _bare_version(self) -> _Version:
        blank = IpynbText() if self.keeps_outputs else PercentText()
        return _Version(_signature(self.path), _hash_of(self.path), blank)

    def _load(self) -> _Version:
        try:
            signature, raw = _read_file(self.path)
        except FileNotFoundError:
            return _Version(None, None, IpynbText() if self.keeps_outputs else PercentText())
        except OSError as error:
            _unreadable(self.path, error.strerror or "the system refuses to read it", "Check its permissions")
        if len(raw) > MAX_FILE:
            message = f"{self.path.name} is larger than {MAX_FILE} bytes. Clear its outputs, or split it."
            raise TailraceError(ErrorCode.TOO_LARGE, message)
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            _unreadable(self.path, "it is not UTF-8 text", "Save it as UTF-8")
        bom = text.startswith(BOM)
        crlf = "\r\n" in text and text.count("\r\n") == text.count("\n")
        text = text.removeprefix(BOM)
        document = self._parse(text.replace("\r\n", "\n") if crlf else text)
        return _Version(signature, _hash(raw), document, bom, crlf)

    def _parse(self, text: str) -> PercentText | IpynbText:
        try:
            document = read_ipynb(text) if self.keeps_outputs else read_percent(text)
        except TailraceError:
            raise
        except Exception as error:  # the parsers meet hostile files: whatever they raise means that one thing
            _unreadable(self.path, str(error) or type(error).__name__, "Repair it in a text editor")
        _check(self.path, document.cells)
        return document

    def _document(
        self,
        cells: Sequence[StoredCell],
        last: _Version,
        outputs: Mapping[str, tuple[Output, ...]] | None,
        settings: Settings | None,
        blob: Blob | None,
    ) -> PercentText | IpynbText:
        document = last.document
        if not document.cells and last.signature is not None and same_cells(cells, last.contents().cells):
            return document  # the empty cell that we show in an empty file is nobody's work
        if isinstance(document, IpynbText):
            return rewrite_ipynb(cells, document, outputs=outputs, settings=settings, blob=blob)
        return rewrite_percent(cells, document)


def _check(path: Path, cells: Sequence[StoredCell]) -> None:
    if len(cells) > MAX_CELLS:
        message = f"{path.name} has {len(cells)} cells; a notebook may hold {MAX_CELLS}. Split it."
        raise TailraceError(ErrorCode.TOO_MANY, message)
    for number, cell in enumerate(cells, 1):
        if len(cell.code) > MAX_CODE or len(cell.code.encode(errors="surrogatepass")) > MAX_CODE:
            message = f"Cell {number} of {path.name} is larger than {MAX_CODE} bytes. Move data into a file of its own."
            raise TailraceError(ErrorCode.TOO_LARGE, message)
        try:
            cell.code.encode()
        except UnicodeEncodeError:
            _unreadable(path, f"cell {number} holds lone surrogates", "Repair it in a text editor")


def _unreadable(path: Path, reason: str, advice: str) -> NoReturn:
    message = f"{path.name} cannot be opened as a notebook: {reason}. {advice}, then open it again."
    raise TailraceError(ErrorCode.UNREADABLE_NOTEBOOK, message)


def _not_written(path: Path, error: OSError) -> NoReturn:
    full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    reason = "the disk is full: free some space" if full else f"{error.strerror}: check the permissions of its folder"
    message = f"{path.name} could not be saved, {reason}. Your changes are kept in the journal until then."
    raise TailraceError(ErrorCode.DISK_FULL if full else ErrorCode.READ_ONLY, message)


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _hash_of(path: Path) -> str | None:
    try:
        return _hash(_read_file(path)[1])
    except OSError:
        return None


def _encode(text: str, last: _Version) -> bytes:
    text = text.replace("\n", "\r\n") if last.crlf else text
    return ((BOM if last.bom else "") + text).encode()


def _signature(path: Path) -> tuple[int, int, int] | None:
    try:
        return _signature_of(path.stat())
    except OSError:
        return None


def _signature_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


def _read_file(path: Path) -> tuple[tuple[int, int, int], bytes]:
    """Signature and bytes of a regular file. Never blocks on a FIFO or reads a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return _signature_of(status), file.read(MAX_FILE + 1)


def _replace_file(path: Path, raw: bytes, expected: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
    """Replace the target of a link, too; the mode is kept. Null, and nothing replaced, when its signature is not the
    expected one any more."""
    target = path.resolve()
    with_mode = stat.S_IMODE(target.stat().st_mode) if expected is not None and target.exists() else None
    written: list[tuple[int, int, int] | None] = []

    def unchanged(draft: Path) -> bool:
        written.append(_signature(draft))
        return _signature(target) == expected

    return written[0] if replace_file(target, raw, mode=with_mode, allowed=unchanged) else None
