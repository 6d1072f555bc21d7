"""From a connection string to an engine that answered: references, drivers, the probe with its timeout, its errors.

Whatever goes wrong leaves here as a TailraceError with a db_* code and a sentence that holds no secret.
"""

import difflib
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from tailrace_kernel.sql.duckdb_engine import DuckDBEngine
from tailrace_kernel.sql.engine import Engine
from tailrace_kernel.sql.failures import Place, classify_connect, clean_text, connect_sentence
from tailrace_kernel.sql.secrets import Secrets, escaped, is_redacted, redact
from tailrace_kernel.sql.sqlalchemy_engine import SQLAlchemyEngine
from tailrace_protocol.errors import ErrorCode, TailraceError

logger = logging.getLogger(__name__)

KEYRING_SERVICE = "tailrace"
PATIENCE = 1.0  # seconds beyond the driver's own timeout before the probe is given up

DRIVERS = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}  # where the URL names none
PIP_NAMES = {
    "MySQLdb": "mysqlclient", "psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary", "oracledb": "oracledb",
    "pymysql": "pymysql", "pyodbc": "pyodbc", "asyncpg": "asyncpg", "mariadb": "mariadb",
}  # fmt: skip
PLUGINS = {
    "awsathena": "pyathena", "bigquery": "sqlalchemy-bigquery", "clickhouse": "clickhouse-sqlalchemy",
    "clickhousedb": "clickhouse-connect", "cockroachdb": "sqlalchemy-cockroachdb",
    "databricks": "databricks-sqlalchemy", "db2": "ibm-db-sa", "hana": "sqlalchemy-hana",
    "redshift": "sqlalchemy-redshift", "snowflake": "snowflake-sqlalchemy",
    "starrocks": "starrocks", "teradatasql": "teradatasqlalchemy",
    "trino": "trino[sqlalchemy]", "vertica": "sqlalchemy-vertica-python",
}  # fmt: skip
KNOWN = ("postgresql", "sqlite", "mysql", "mariadb", "duckdb", "mssql", "oracle", *PLUGINS)
NICKNAMES = {"postgres": "postgresql", "pg": "postgresql", "psql": "postgresql", "sqlite3": "sqlite", "duck": "duckdb"}


@dataclass(frozen=True, slots=True)
class Opened:
    engine: Engine
    redacted_url: str  # the reference itself where one was given
    note: str


def open_engine(reference: str, *, read_only: bool, connect_timeout: float) -> Opened:
    """Connect and ask the server for its version; at most `connect_timeout` + PATIENCE seconds."""
    literal = resolve(reference)
    shown = redact(literal) if literal == reference else reference
    secrets = Secrets.of(literal)
    if is_redacted(literal):
        message = f"The password of {shown} is hidden here: type it again, or use env:NAME or keyring:NAME."
        raise TailraceError(ErrorCode.DB_NEEDS_CREDENTIALS, message)
    url = parse(literal)
    place = Place(url.host or "", url.port, url.username or "", url.database or "")
    note = _new_file(url, read_only=read_only)

    def connect() -> Engine:
        if url.get_backend_name() == "duckdb":
            return DuckDBEngine.at(url.database or ":memory:", read_only=read_only, secrets=secrets)
        return SQLAlchemyEngine.connect(url, secrets, read_only=read_only, connect_timeout=connect_timeout)

    try:
        engine = _within(connect, connect_timeout + PATIENCE)
    except TailraceError:
        raise
    except ModuleNotFoundError as error:
        raise _driver_missing(url.drivername, error.name or "") from None
    except Exception as error:
        text = secrets.scrub(clean_text(error))
        code = classify_connect(error, text)
        logger.info("connect failed: %s", code)
        raise TailraceError(code, connect_sentence(code, place.scrubbed(secrets.scrub), text)) from None
    return Opened(engine, shown, note)


def resolve(reference: str) -> str:
    """The URL itself, from the environment or the system's key store if `reference` names a place there."""
    kind, colon, name = reference.strip().partition(":")
    if not colon or name.startswith("//") or kind not in {"env", "keyring"}:
        return reference
    if kind == "env":
        value = os.environ.get(name)
        where = f"the environment variable {name} is not set in the kernel: set it and restart the kernel"
    else:
        value = _from_keyring(name)
        where = f"the key store has no entry {name!r}: run `keyring set {KEYRING_SERVICE} {name}`"
    if not value:
        raise TailraceError(ErrorCode.DB_NEEDS_CREDENTIALS, f"No connection URL found: {where}.")
    return value


def duckdb_file(reference: str) -> str | None:
    """The path of the DuckDB file that a reference means, if it means one. Raises as `open_engine`."""
    literal = resolve(reference)
    if not literal.startswith("duckdb"):
        return None
    path = parse(literal).database or ""
    return None if path in {"", ":memory:"} else path


def parse(literal: str) -> URL:
    """SQLAlchemy's URL with the driver we use where none is named. Raises db_bad_url, db_unknown_dialect,
    db_driver_missing."""
    try:
        url = make_url(escaped(literal))
    except (ArgumentError, ValueError):
        message = (
            "This is no database URL: write dialect://user:password@host:port/database "
            "(in a password, / is %2F, ? is %3F and # is %23)."
        )
        raise TailraceError(ErrorCode.DB_BAD_URL, message) from None
    backend = url.get_backend_name()
    if url.drivername in DRIVERS:
        url = url.set(drivername=f"{backend}+{DRIVERS[backend]}")
    if backend == "duckdb":
        return url
    try:
        url.get_dialect()
    except NoSuchModuleError:
        raise _unknown_dialect(url.drivername) from None
    except ModuleNotFoundError as error:
        raise _driver_missing(url.drivername, error.name or "") from None
    return url


def _unknown_dialect(drivername: str) -> TailraceError:
    backend, _, driver = drivername.partition("+")
    if backend in PLUGINS:
        return _driver_missing(drivername, PLUGINS[backend])
    guess = NICKNAMES.get(backend) or next(iter(difflib.get_close_matches(backend, KNOWN, 1)), None)
    if backend in KNOWN and driver:
        hint = f"write {backend}:// for the driver that comes with Tailrace"
    else:
        hint = f"did you mean {guess}://?" if guess else f"known ones are {', '.join(KNOWN[:5])}"
    return TailraceError(ErrorCode.DB_UNKNOWN_DIALECT, f"There is no dialect {drivername}:// ({hint}).")


def _driver_missing(drivername: str, module: str) -> TailraceError:
    package = PIP_NAMES.get(module.partition(".")[0], module)
    message = f"The driver for {drivername}:// is not installed: run `pip install '{package}'` and restart the kernel."
    return TailraceError(ErrorCode.DB_DRIVER_MISSING, message, details={"package": package})


def _from_keyring(name: str) -> str | None:
    import keyring  # by use: it asks the system bus
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(KEYRING_SERVICE, name)
    except KeyringError:
        message = "This machine has no key store that the kernel can use: use env:NAME instead."
        raise TailraceError(ErrorCode.DB_NEEDS_CREDENTIALS, message) from None


def _new_file(url: URL, *, read_only: bool) -> str:
    """A note when the database file is not there yet: a typing mistake makes an empty database."""
    path = url.database or ""
    if url.get_backend_name() not in {"sqlite", "duckdb"} or not path or path.startswith((":memory:", "file:")):
        return ""
    if Path(path).exists():
        return ""
    if read_only or not Path(path).absolute().parent.is_dir():
        message = f"There is no file {path!r}: check the path."
        raise TailraceError(ErrorCode.DB_NO_DATABASE, message)
    return f"{Path(path).name} did not exist: it is a new, empty database."


def _within(connect: Callable[[], Engine], seconds: float) -> Engine:
    """`connect()` in its own thread: a driver may hang in a name look-up that no timeout of its own reaches."""
    lock, done = threading.Lock(), threading.Event()
    made: list[Engine] = []
    failed: list[BaseException] = []
    abandoned = False

    def probe() -> None:
        try:
            engine = connect()
        except BaseException as error:  # handed to the caller below, whatever it is
            failed.append(error)
        else:
            with lock:
                if not abandoned:
                    made.append(engine)
            if not made:
                engine.close()
        done.set()

    threading.Thread(target=probe, name="sql-probe", daemon=True).start()
    done.wait(seconds)
    with lock:
        abandoned = True
    if made:
        return made[0]
    if failed:
        raise failed[0]
    raise TimeoutError("timed out")
