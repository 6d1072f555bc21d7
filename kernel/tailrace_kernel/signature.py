"""HMAC-SHA256 of a message's frames (RFC 2104), with both padded keys hashed beforehand.

The `hmac` module starts OpenSSL's generic HMAC anew each time: 4 µs for what takes 1.6 µs, several times a message.
"""

import hashlib
from collections.abc import Iterable

BLOCK = 64  # bytes of one SHA-256 block


class Signer:
    def __init__(self, key: bytes) -> None:
        padded = (key if len(key) <= BLOCK else hashlib.sha256(key).digest()).ljust(BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))

    def sign(self, frames: Iterable[bytes]) -> bytes:
        """The signature in lower-case hex, as it stands on the wire."""
        inner, outer = self._inner.copy(), self._outer.copy()
        for frame in frames:
            inner.update(frame)
        outer.update(inner.digest())
        return outer.hexdigest().encode()
