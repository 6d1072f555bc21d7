"""Large values of outputs, kept beside the event stream and fetched by address. Knows bytes and a folder."""

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tailrace_protocol.codec import encode_json
from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.limits import MAX_INLINE

MAX_BYTES = 256 * 2**20  # of one notebook; the oldest go
NAME = 150  # characters of a type that fit into a file's name
BINARY = ("image/", "audio/", "video/", "application/pdf", "application/octet-stream")


class Blobs:
    """The large values of one notebook, by the SHA-256 of their bytes."""

    def __init__(self, notebook_id: str, folder: Path):
        self._base = f"/api/v1/notebooks/{notebook_id}/blobs"
        self._folder = folder
        self._sizes: dict[str, int] = {}
        self._types: dict[str, str] = {}
        self._find_again()

    def _find_again(self) -> None:
        """What a gateway that was killed kept: its outputs still name it."""
        with contextlib.suppress(OSError):
            found = sorted((path.stat().st_mtime, path) for path in self._folder.glob("[!.]*"))
            for _, path in found:
                digest, _, kind = path.name.partition(".")
                self._types[digest] = unquote(kind)
                self._sizes[digest] = path.stat().st_size

    def keep(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """A MIME bundle with every value over MAX_INLINE replaced by `{"$url", "bytes"}`."""
        return {mime: self._kept(mime, value) for mime, value in data.items()}

    def _kept(self, mime: str, value: Any) -> Any:
        if isinstance(value, str) and len(value) <= MAX_INLINE // 4:
            return value
        raw = value.encode("utf-8", "replace") if isinstance(value, str) else encode_json(value)
        if len(raw) <= MAX_INLINE:
            return value
        if isinstance(value, str) and is_binary(mime):
            raw = _decoded(value, raw)
        digest = hashlib.sha256(raw).hexdigest()
        self._store(digest, mime, raw)
        return {"$url": f"{self._base}/{digest}", "bytes": len(raw)}

    def _store(self, digest: str, mime: str, raw: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._types.setdefault(digest, mime)
        path = self._path(digest)
        draft = path.with_name(f".{digest}")  # a gateway killed here leaves no half of it
        draft.write_bytes(raw)
        draft.replace(path)
        self._sizes[digest] = len(raw)
        while sum(self._sizes.values()) > MAX_BYTES and len(self._sizes) > 1:
            oldest = next(iter(self._sizes))
            self._path(oldest).unlink(missing_ok=True)
            del self._sizes[oldest], self._types[oldest]

    def _path(self, digest: str) -> Path:
        """The name says the type too, for the next gateway."""
        return self._folder / f"{digest}.{quote(self._types[digest], safe='')[:NAME]}"

    def value(self, url: str) -> Any:
        """The value behind an address, as it was in its bundle; None when it is gone."""
        digest = url.rpartition("/")[2]
        if digest not in self._sizes:
            return None
        raw, mime = self._path(digest).read_bytes(), self._types[digest]
        if is_binary(mime):
            return base64.b64encode(raw).decode()
        return json.loads(raw) if mime.endswith("json") else raw.decode("utf-8", "replace")

    def find(self, digest: str) -> tuple[Path, str]:
        """File and MIME type. Raises TailraceError no_such_output."""
        if digest not in self._sizes:
            raise TailraceError(ErrorCode.NO_SUCH_OUTPUT, "This output is gone: run the cell again.")
        return self._path(digest), self._types[digest]


def is_binary(mime: str) -> bool:
    return mime.startswith(BINARY) and mime != "image/svg+xml"


def _decoded(value: str, raw: bytes) -> bytes:
    try:
        return base64.b64decode(value)
    except (binascii.Error, ValueError):
        return raw
