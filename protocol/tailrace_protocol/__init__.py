"""The words of Tailrace: messages, events, errors and codecs. No I/O, and no import of kernel or gateway."""

from tailrace_protocol.errors import ErrorCode, TailraceError
from tailrace_protocol.objects import code_hash, document_hash

__all__ = ["ErrorCode", "TailraceError", "code_hash", "document_hash"]
