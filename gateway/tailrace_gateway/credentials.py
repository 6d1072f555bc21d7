"""Who may come in: login codes, sessions with their page keys, and the program token. Knows no HTTP.

A session is a random id looked up in a table, so it can be revoked; the table on disk holds hashes only. It outlives
the gateway: a page reconnects by itself after a restart on the same port.
"""

import hashlib
import hmac
import json
import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tailrace_protocol.errors import ErrorCode, TailraceError

CODE_SECONDS = 300.0  # life of a login code
MAX_CODES = 16  # unused codes at a time; the oldest goes
MAX_SESSIONS = 100  # the oldest goes
WRONG_TRIES = 10  # per minute, then wrong codes are answered `too_many`
SECRET_BYTES = 16  # 128 bits


@dataclass(frozen=True, slots=True)
class Login:
    """What a login gives: `session` goes into the cookie, `key` into the storage of the page's origin."""

    session: str
    key: str

    def __repr__(self) -> str:
        return "Login(session='***', key='***')"


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who came through the door. `session` is the table's id of a person's session, None for a program."""

    session: str | None
    role: str = "editor"

    @property
    def is_program(self) -> bool:
        return self.session is None


class Credentials:
    """The table of everything that opens the door. Not thread-safe: one event loop owns it."""

    def __init__(self, token: str, port: int, sessions: "SessionFile", clock: Callable[[], float] = time.monotonic):
        self.cookie = f"tailrace_{port}"  # its name: cookies do not know ports
        self._token = token
        self._port = port
        self._file = sessions
        self._clock = clock
        self._codes: dict[str, float] = {}  # code -> when it ends
        self._wrong: deque[float] = deque(maxlen=WRONG_TRIES)
        self._sessions: dict[str, str] = dict(sessions.load(port))  # hash of session id -> hash of page key

    def __repr__(self) -> str:
        return f"Credentials(port={self._port}, sessions={len(self._sessions)})"

    def new_code(self) -> str:
        """A single-use login code, good for CODE_SECONDS."""
        while len(self._codes) >= MAX_CODES:
            del self._codes[next(iter(self._codes))]
        code = secrets.token_urlsafe(SECRET_BYTES)
        self._codes[code] = self._clock() + CODE_SECONDS
        return code

    def log_in(self, code: str) -> Login:
        """Exchange a login code. Raises TailraceError not_logged_in, or too_many after ten wrong ones in a minute."""
        now = self._clock()
        found = next((known for known in self._codes if same(known, code)), None)
        if found is None or self._codes.pop(found) < now:
            self._refuse_code(now)
        login = Login(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[digest(login.session)] = digest(login.key)
        self._file.save(self._port, self._sessions)
        return login

    def _refuse_code(self, now: float) -> None:
        if len(self._wrong) == WRONG_TRIES and now - self._wrong[0] < 60:
            raise TailraceError(ErrorCode.TOO_MANY, "Too many wrong login codes: wait a minute.", retry=60.0)
        self._wrong.append(now)
        message = (
            "This login code is wrong, used or older than 5 minutes: press Enter in the terminal of `tailrace serve` "
            "for a fresh one."
        )
        raise TailraceError(ErrorCode.NOT_LOGGED_IN, message)

    def log_out(self, session: str) -> None:
        """Revoke a session by its table id."""
        if self._sessions.pop(session, None) is not None:
            self._file.save(self._port, self._sessions)

    def person(self, cookie: str) -> Identity | None:
        """The session that a cookie names; the page key is still to be shown."""
        session = digest(cookie)
        return Identity(session) if session in self._sessions else None

    def has_key(self, identity: Identity, key: str | None) -> bool:
        """Whether `key` is the page key of this session; a program needs none."""
        if identity.session is None:
            return True
        want = self._sessions.get(identity.session)
        return want is not None and key is not None and same(want, digest(key))

    def program(self, authorization: str) -> Identity | None:
        """`token T` or `Bearer T`, scheme in any case."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() not in ("token", "bearer") or not same(self._token, token.strip()):
            return None
        return Identity(None)

    def secrets(self) -> Iterator[str]:
        """Every live secret this table holds in clear, for the log filter."""
        yield self._token
        yield from self._codes


class SessionFile:
    """Hashes of sessions and page keys per port, in one file readable by its owner only."""

    def __init__(self, path: Path):
        self._path = path

    def load(self, port: int) -> dict[str, str]:
        """Sessions of this port; an absent or unreadable file is an empty table: people log in again."""
        return dict(self._read().get(str(port), {}))

    def save(self, port: int, sessions: dict[str, str]) -> None:
        table = self._read() | {str(port): sessions}
        write_private(self._path, json.dumps(table))

    def _read(self) -> dict[str, dict[str, str]]:
        try:
            table = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return table if isinstance(table, dict) else {}


def stored_token(path: Path) -> str:
    """The program token kept in `path`; made and stored 0600 if there is none yet."""
    try:
        token = path.read_text().strip()
    except OSError:
        token = ""
    if not token:
        token = secrets.token_urlsafe(32)
        write_private(path, token)
    return token


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, never half."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(temporary, path)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def same(known: str, given: str) -> bool:
    """Compare in constant time; any text, ASCII or not."""
    return hmac.compare_digest(known.encode(), given.encode("utf-8", "surrogatepass"))
