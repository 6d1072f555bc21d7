"""Every error code of the two wires, and the one exception that carries such a code inside a process.

Clients never parse text: the code is the contract, the message is a sentence for a person that says what
happened and what to do. Source: SPEC.md, "Errors and limits".
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    # The peer broke the wire.
    BAD_FRAME = "bad_frame"
    TOO_LARGE = "too_large"
    UNKNOWN_TYPE = "unknown_type"
    BAD_FIELD = "bad_field"
    NOT_ATTACHED = "not_attached"
    ALREADY_ATTACHED = "already_attached"
    # The door.
    NOT_LOGGED_IN = "not_logged_in"
    BAD_HOST = "bad_host"
    BAD_ORIGIN = "bad_origin"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    # Legal, but not now or not for this object.
    UNKNOWN_NOTEBOOK = "unknown_notebook"
    UNKNOWN_CELL = "unknown_cell"
    UNKNOWN_RUN = "unknown_run"
    UNKNOWN_CONNECTION = "unknown_connection"
    UNKNOWN_REQUEST = "unknown_request"
    BAD_POSITION = "bad_position"
    STALE_CODE = "stale_code"
    CONFLICT = "conflict"
    UNDO_CONFLICT = "undo_conflict"
    NOTHING_TO_UNDO = "nothing_to_undo"
    READ_ONLY = "read_only"
    DISK_FULL = "disk_full"
    ALREADY_OPEN = "already_open"
    UNREADABLE_NOTEBOOK = "unreadable_notebook"
    KERNEL_STARTING = "kernel_starting"
    KERNEL_DEAD = "kernel_dead"
    KERNEL_UNRESPONSIVE = "kernel_unresponsive"
    NOT_WAITING = "not_waiting"
    BUSY_RESTARTING = "busy_restarting"
    CANNOT_RENAME = "cannot_rename"
    NO_SUCH_OUTPUT = "no_such_output"
    TOO_MANY = "too_many"
    NOT_SUPPORTED = "not_supported"
    INTERRUPTED = "interrupted"
    # SQL connections and statements.
    DB_BAD_URL = "db_bad_url"
    DB_UNKNOWN_DIALECT = "db_unknown_dialect"
    DB_DRIVER_MISSING = "db_driver_missing"
    DB_REFUSED = "db_refused"
    DB_UNKNOWN_HOST = "db_unknown_host"
    DB_AUTH = "db_auth"
    DB_NO_DATABASE = "db_no_database"
    DB_TIMEOUT = "db_timeout"
    DB_NEEDS_CREDENTIALS = "db_needs_credentials"
    DB_READ_ONLY = "db_read_only"
    DB_PARAMETER = "db_parameter"
    DB_STATEMENT = "db_statement"
    RESULT_TOO_LARGE = "result_too_large"
    # Our bug: the log holds the story.
    INTERNAL = "internal"


class TailraceError(Exception):
    """A refusal with a stable code; `message` is a sentence that says what to do, `retry` is in seconds."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        retry: float | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = dict(details) if details else None
        self.retry = retry

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code.value!r}, {self.message!r})"
