"""What the schema browser has asked of one database already, kept until a cell may have changed the structure.

Knows nodes and statements; asks no database itself. Columns come for all tables of a schema at once, because a page
and completion want them for many; the structure that others change is seen after `forget`.
"""

import threading
from collections.abc import Callable, Iterable, Mapping

from tailrace_kernel.sql.schema import SchemaNode
from tailrace_kernel.sql_statements import Statement

Path = tuple[str, ...]
Nodes = tuple[SchemaNode, ...]
# Whatever else a cell does may make, drop or rename something: CREATE, ALTER, ATTACH, USE, CALL, COMMENT …
KEEPS = frozenset("select values table from with insert update delete merge replace explain show describe desc".split())  # noqa: SIM905
ENDS = frozenset("begin start commit end abort rollback savepoint release".split())  # noqa: SIM905


class SchemaCache:
    """One per engine."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nodes: dict[Path, Nodes] = {}
        self._changes = 0  # an answer that was asked for before a change is not kept

    def nodes(self, path: Path, ask: Callable[[Path], Mapping[Path, Nodes]]) -> Nodes:
        """The nodes below `path`; `ask` gives them, and others that came along, when they are not known."""
        with self._lock:
            if path in self._nodes:
                return self._nodes[path]
            asked_at = self._changes
        found = ask(path)
        with self._lock:
            if asked_at == self._changes:
                self._nodes |= found
        return found.get(path, ())

    def forget(self) -> None:
        with self._lock:
            self._changes += 1
            self._nodes.clear()


def may_change_structure(statements: Iterable[Statement]) -> bool:
    """Whether a cell with these statements may make, drop or rename a schema, table or column. PostgreSQL's
    `SELECT … INTO t` makes one."""
    return any(
        each.is_opaque or each.kind not in KEEPS | ENDS or (each.kind in {"select", "with"} and each.is_write)
        for each in statements
    )
