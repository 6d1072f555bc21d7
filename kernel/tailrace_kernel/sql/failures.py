"""What went wrong, in our codes and one helpful sentence, from what drivers raise. Opens no connection.

Sources: PostgreSQL SQLSTATE (appendix A of its manual) where the driver gives one, else the driver's words; MySQL
server error numbers; research on what each mistake of a URL raises.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tailrace_protocol.errors import ErrorCode, TailraceError


class SqlStatementError(TailraceError):
    """A statement failed: `message` is the driver's text, cleaned; `line` counts from 1 in the cell."""

    def __init__(self, message: str, line: int | None, *, code: ErrorCode = ErrorCode.DB_STATEMENT) -> None:
        super().__init__(code, message, details={"line": line} if line else None)
        self.line = line


class SqlInterrupted(TailraceError):  # noqa: N818 (an interruption is no error)
    """The cell was cancelled and its transaction rolled back."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.INTERRUPTED, "The SQL cell was interrupted; its transaction was rolled back.")


@dataclass(frozen=True, slots=True)
class Place:
    """Whom a connection was tried with, for the sentences below; holds no secret."""

    host: str = ""
    port: int | None = None
    user: str = ""
    database: str = ""

    @property
    def server(self) -> str:
        return f"{self.host or 'localhost'}:{self.port}" if self.port else (self.host or "the local server")

    def scrubbed(self, scrub: Callable[[str], str]) -> "Place":
        """Without secrets, before words of ours surround it: a password that ends in `word` would take ours with it."""
        return Place(scrub(self.host), self.port, scrub(self.user), scrub(self.database))


_BY_SQLSTATE = {
    "28P01": ErrorCode.DB_AUTH,
    "28000": ErrorCode.DB_AUTH,
    "3D000": ErrorCode.DB_NO_DATABASE,
    "53300": ErrorCode.DB_REFUSED,
    "57P03": ErrorCode.DB_REFUSED,
}
_BY_MYSQL_NUMBER = {1045: ErrorCode.DB_AUTH, 1044: ErrorCode.DB_NO_DATABASE, 1049: ErrorCode.DB_NO_DATABASE}
_BY_WORDS = (
    (r"no password supplied|password required", ErrorCode.DB_NEEDS_CREDENTIALS),
    (r"password authentication failed|role .* does not exist|no pg_hba\.conf entry|access denied", ErrorCode.DB_AUTH),
    (r"authentication|not permitted to log in", ErrorCode.DB_AUTH),
    (r"database .* does not exist|unknown database|unable to open database file", ErrorCode.DB_NO_DATABASE),
    (r"file is not a database|not a valid DuckDB database|does not exist|cannot open file", ErrorCode.DB_NO_DATABASE),
    (
        r"resolve host|translate host|name or service not known|getaddrinfo|nodename nor servname",
        ErrorCode.DB_UNKNOWN_HOST,
    ),
    (r"timed? ?out|timeout expired", ErrorCode.DB_TIMEOUT),
)


def classify_connect(error: BaseException, text: str) -> ErrorCode:
    """The code of a failed connection; `text` is the driver's clean text. Anything unknown counts as refused."""
    origin = getattr(error, "orig", None) or error
    state = getattr(origin, "sqlstate", None)
    if state in _BY_SQLSTATE:
        return _BY_SQLSTATE[state]
    number = origin.args[0] if origin.args and isinstance(origin.args[0], int) else None
    if number in _BY_MYSQL_NUMBER:
        return _BY_MYSQL_NUMBER[number]
    if type(origin).__name__ in {"ConnectionTimeout", "TimeoutError"}:
        return ErrorCode.DB_TIMEOUT
    for pattern, code in _BY_WORDS:
        if re.search(pattern, text, re.IGNORECASE):
            return code
    return ErrorCode.DB_REFUSED


def connect_sentence(code: ErrorCode, place: Place, text: str) -> str:
    """One sentence for a person: what happened and what to do. `place` and `text` must hold no secret any more."""
    match code:
        case ErrorCode.DB_AUTH:
            return f"{place.server} refused user {place.user!r} or its password: check both, then connect again."
        case ErrorCode.DB_NEEDS_CREDENTIALS:
            return f"{place.server} wants a password and none was given: write user:password@ before the host."
        case ErrorCode.DB_NO_DATABASE:
            return f"There is no database {place.database!r} that can be opened: check its name ({_first_line(text)})."
        case ErrorCode.DB_UNKNOWN_HOST:
            return f"The host {place.host!r} is unknown here: check its spelling and this machine's network."
        case ErrorCode.DB_TIMEOUT:
            return f"{place.server} did not answer in time: check host, port and firewall, or raise connect_timeout."
        case _ if not place.host and place.database:
            return f"The database {place.database!r} cannot be opened: {_first_line(text)}"
        case _:
            return f"Nothing accepted the connection at {place.server}: is the server running? ({_first_line(text)})"


def clean_text(error: BaseException) -> str:
    """The driver's own words, without what SQLAlchemy wraps around them."""
    origin = getattr(error, "orig", None) or error
    text = str(origin) or type(origin).__name__
    text = re.split(r"\n\[SQL: |\n?\(Background on this error", text)[0].strip()
    if origin.args and len(origin.args) > 1 and isinstance(origin.args[0], int):  # MySQL: (1064, "You have …")
        text = str(origin.args[1])
    return re.sub(r"^\((?:[\w]+\.)+\w+\) ", "", text)


def line_in(text: str) -> int | None:
    """The line that a driver's text names, from 1 in its statement (DuckDB, PostgreSQL: `LINE 3:`; MySQL: at line)."""
    match = re.search(r"^LINE (\d+):|\bat line (\d+)", text, re.MULTILINE)
    return int(match[1] or match[2]) if match else None


def renumbered(text: str, shift: int) -> str:
    """`LINE n:` of a statement as the line of its cell; the caret below moves with it."""

    def line(match: re.Match[str]) -> str:
        return f"LINE {int(match[1]) + shift}:"

    return re.sub(r"^LINE (\d+):", line, text, flags=re.MULTILINE)


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no further words"
