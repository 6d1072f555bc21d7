"""Reads and writes of one SQL statement from sqlglot's tree. The only module that imports sqlglot: load it lazily.

Knows grammar only: no parameters (they arrive as placeholder names), no connection, no other statement of the cell.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlglot import Dialect, exp
from sqlglot.dialects.dialect import NormalizationStrategy
from sqlglot.errors import SqlglotError

PLACEHOLDER = "tailrace_parameter_"  # + number; a name that stands where a parameter stood

_FILE = re.compile(
    r"[/\\]|://|\*|\.(?:csv|tsv|parquet|json|jsonl|ndjson|arrow|feather|xlsx|txt|gz|zst|db|duckdb)$", re.I
)
_PREFIXES = {
    **dict.fromkeys(("SCHEMA",), "schema:"),
    **dict.fromkeys(("DATABASE",), "db:"),
    **dict.fromkeys(("FUNCTION", "MACRO", "PROCEDURE", "AGGREGATE"), "function:"),
}
_TABLE_PRAGMAS = frozenset(
    "table_info table_xinfo index_list index_info foreign_key_list foreign_key_check show storage_info".split()  # noqa: SIM905
)
_SEQUENCES = frozenset({"nextval", "currval", "setval"})
_REPLACE = re.compile(r"\s*replace\b(?!\s*\()", re.I)
_EXPLAIN = re.compile(r"\s*explain\b(?:\s+query\s+plan\b|\s*\([^)]*\)|\s+(?:analy[sz]e|verbose|extended|ast)\b)*", re.I)
_NAME = r"""((?:[\w$#]+|"[^"]*"|`[^`]*`|\[[^\]]*\])(?:\.(?:[\w$#]+|"[^"]*"|`[^`]*`))*)"""
_TRIGGER = re.compile(rf"\s*create\b.*?\btrigger\b.*?\bon\s+{_NAME}", re.I | re.S)
_REFRESH = re.compile(
    rf"\s*refresh\s+(?:materialized\s+view|dynamic\s+table|table)?\s*(?:concurrently\s+)?{_NAME}", re.I
)
_RENAME = re.compile(rf"\s*rename\s+table\s+{_NAME}\s+to\s+{_NAME}", re.I)
_TEMPORARY = re.compile(r"\bon\s+commit\s+(?:drop|preserve\s+rows|delete\s+rows)\b", re.I)
_PRAGMA = re.compile(rf"\s*pragma\s+(?:\w+\.)?(\w+)\s*[(=]\s*'?{_NAME}", re.I)
_BARE = re.compile(
    r"\s*(?:close|cluster|checkpoint|move|reindex|savepoint)\b[^;]*", re.I
)  # the parser takes them for names
_EXPORT = re.compile(r"\s*export\s+database\b.*?'([^']*)'", re.I | re.S)
_HARMLESS = frozenset(
    "vacuum checkpoint analyze optimize lock unlock listen notify unlisten discard reset set pragma show install "  # noqa: SIM905
    "load force declare print kill flush begin start commit rollback savepoint release end abort use close "
    "deallocate".split()
)


_ONLY_ASK = frozenset({"range", "repeat", "hash", "count_if", "list_sum", "format"})
_DO_MORE: tuple[type[exp.Expr], ...] = (
    *(exp.AnonymousAggFunc, exp.NextValueFor, exp.Command, exp.Lock, exp.Into, exp.Parameter, exp.SessionParameter),
    *(exp.Rand, exp.Randn, exp.Uuid, exp.CurrentTimestamp, exp.CurrentTime, exp.CurrentDate, exp.CurrentDatetime),
    *(exp.ReadCSV, exp.ReadParquet, exp.PropertyEQ),
)


@dataclass(slots=True)
class TreeFacts:
    reads: set[str] = field(default_factory=set)
    writes: set[str] = field(default_factory=set)
    creates: set[str] = field(default_factory=set)  # subset of writes: later statements of the text find it
    if_missing: set[str] = field(default_factory=set)  # subset of creates: IF NOT EXISTS
    if_there: set[str] = field(default_factory=set)  # subset of writes: IF EXISTS
    drops: set[str] = field(default_factory=set)  # subset of writes
    written_as: set[str] = field(default_factory=set)  # unqualified reads, spelled as in the text
    needs: set[str] = field(default_factory=set)  # what the text goes through: functions, sequences, schemas, databases
    unknown: bool = False
    only_asks: bool = True  # no function or lock that may change something, or whose answer is that of a moment
    parameter_tables: bool = False  # a parameter stands where a table must: no value can be bound there


@dataclass(frozen=True, slots=True)
class Problem:
    message: str
    line: int
    column: int


def read_statement(sql: str, dialect: str) -> TreeFacts | Problem:
    """Facts of one statement, whose parameters are placeholder names."""
    known = _by_words(sql, dialect)
    if known is not None:
        return known
    try:
        engine = Dialect.get_or_raise(dialect)
        trees = _trees(sql, engine)
    except SqlglotError as error:
        found = getattr(error, "errors", None) or [{}]
        first = found[0]
        return Problem(
            first.get("description") or "invalid SQL", first.get("line") or 1, max(0, (first.get("col") or 1) - 1)
        )
    except (ValueError, RecursionError) as error:
        return Problem(str(error) or "SQL is nested too deeply", 1, 0)
    walk = _Walk(engine, dialect)
    for tree in trees:
        if tree is not None:
            if isinstance(tree, exp.Condition | exp.Alias) and not _BARE.fullmatch(sql):
                return Problem("no SQL statement begins like this", 1, 0)
            walk.statement(tree)
            walk.calls(tree)
            walk.facts.only_asks &= isinstance(tree, exp.Query) and not any(map(_does_more, tree.walk()))
    return walk.facts


def _trees(sql: str, engine: Dialect) -> list[exp.Expr | None]:
    parser = engine.parser()
    parser._warn_unsupported = lambda: None  # type: ignore[method-assign]  # it logs every CALL as a warning
    return parser.parse(engine.tokenize(sql), sql)


def _by_words(sql: str, dialect: str) -> TreeFacts | None:
    """Statements that the parser gives back as unread text."""
    if _REPLACE.match(sql):
        return _read(_REPLACE.sub("INSERT", sql, count=1), dialect)
    if explained := _EXPLAIN.match(sql):
        facts = _read(sql[explained.end() :], dialect)
        if not re.search(r"\banaly[sz]e\b(?!\s*=?\s*(?:false|off|0))", explained.group(), re.I):
            return TreeFacts(
                facts.reads, written_as=facts.written_as, needs=facts.needs
            )  # a plan is made, nothing runs
        return facts
    if _TEMPORARY.search(sql) and re.match(r"\s*create\b", sql, re.I):
        return _read(_TEMPORARY.sub("", sql), dialect)
    engine = Dialect.get_or_raise(dialect)
    if found := _TRIGGER.match(sql):
        name = _folded_text(found.group(1), engine)
        return TreeFacts({name}, {name})
    if found := _REFRESH.match(sql):
        name = _folded_text(found.group(1), engine)
        return TreeFacts({name}, {name})
    if found := _RENAME.match(sql):
        old, new = (_folded_text(text, engine) for text in found.groups())
        return TreeFacts({old}, {old, new}, {new})
    if found := _PRAGMA.match(sql):
        name = found.group(2)
        return TreeFacts({_folded_text(name, engine)}) if found.group(1).lower() in _TABLE_PRAGMAS else TreeFacts()
    if found := _EXPORT.match(sql):
        return TreeFacts(writes={f"file:{found.group(1)}"})
    return None


def _read(sql: str, dialect: str) -> TreeFacts:
    facts = read_statement(sql, dialect)
    return TreeFacts(unknown=True) if isinstance(facts, Problem) else facts


class _Walk:
    def __init__(self, engine: Dialect, dialect: str) -> None:
        self.engine = engine
        self.dialect = dialect
        self.facts = TreeFacts()
        self._handlers: dict[type[exp.Expr], Callable[..., None]] = {
            exp.Create: self._create,
            exp.Drop: self._drop,
            exp.Insert: self._change,
            exp.Update: self._change,
            exp.Delete: self._change,
            exp.Merge: self._change,
            exp.TruncateTable: self._truncate,
            exp.Alter: self._alter,
            exp.Copy: self._copy,
            exp.Attach: self._attach,
            exp.Detach: self._detach,
            exp.Use: self._use,
            exp.Pragma: lambda node: None,
            exp.Comment: self._both,
            exp.Grant: self._both,
            exp.Revoke: self._both,
            exp.Command: self._command,
            exp.Set: lambda node: None,
            exp.Show: lambda node: None,
        }

    def statement(self, tree: exp.Expr) -> None:
        handler = self._handlers.get(type(tree))
        if handler is not None and not isinstance(tree, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            handler(tree)
        else:
            self.query(tree, frozenset())

    def query(self, node: exp.Expr, ctes: frozenset[str]) -> None:
        """Tables of a tree. A WITH is seen by the query it stands in front of, each part by those behind it."""
        definitions = node.args.get("with_")
        if isinstance(definitions, exp.With):
            for definition in definitions.expressions:
                name = frozenset((self._fold(definition.args["alias"].this),))
                self.query(definition.this, ctes | name if definitions.recursive else ctes)
                ctes |= name
        if isinstance(node, exp.Insert | exp.Update | exp.Delete | exp.Merge):
            self._change(node, ctes)
            return
        if isinstance(node, exp.Into):
            self._write(node.this, creates=True)
            return
        if isinstance(node, exp.Table):
            self._table(node, ctes)
        for child in _children(node):
            if child is not definitions:
                self.query(child, ctes)

    def _table(self, node: exp.Table, ctes: frozenset[str]) -> None:
        name = self.name(node)
        if name is None:
            self._files(node)
        elif PLACEHOLDER in name:
            self.facts.parameter_tables = True
        elif node.args.get("db") is not None or name not in ctes:
            self._reads(node, name)

    def _reads(self, node: exp.Table, name: str) -> None:
        if node.args.get("db") is None and _FILE.search(node.name) and node.this.args.get("quoted"):
            self.facts.reads.add(f"file:{node.name}")
            return
        self.facts.reads.add(name)
        self._goes_through(name)
        if node.args.get("db") is None:
            self.facts.written_as.add(node.name)

    def _goes_through(self, name: str) -> None:
        """`d.s.t` needs the schema and the database, which a cell may have made or attached."""
        *owners, _ = name.split(".")
        if owners:
            self.facts.needs |= {f"schema:{'.'.join(owners)}", f"db:{owners[0]}"}

    def calls(self, tree: exp.Expr) -> None:
        """Functions that the parser does not know: a cell may define one. A sequence is named by a text."""
        for call in tree.find_all(exp.Anonymous):
            name = fold(call.name, False, self.engine)
            owner = call.parent.this if isinstance(call.parent, exp.Dot) else None
            if isinstance(owner, exp.Identifier):
                name = f"{self._fold(owner)}.{name}"
            self.facts.needs.add(f"function:{name}")
            first = call.expressions[0] if call.expressions else None
            if name in _SEQUENCES and isinstance(first, exp.Literal) and first.is_string:
                self.facts.needs.add(_folded_text(first.name, self.engine))

    def _files(self, node: exp.Table) -> None:
        """`read_csv('x.csv')` and its like: the files they name."""
        function = node.this
        named = isinstance(function, exp.Anonymous) and not re.search(r"read|scan|glob|sniff", function.name, re.I)
        if not isinstance(function, exp.Func) or named or isinstance(function, exp.GenerateSeries):
            return
        for literal in function.find_all(exp.Literal):
            if literal.is_string and _FILE.search(literal.name):
                self.facts.reads.add(f"file:{literal.name}")

    def name(self, node: exp.Expr) -> str | None:
        """The dotted name of a table; None if it is no name."""
        table = node.this if isinstance(node, exp.Schema | exp.Index) else node
        if not isinstance(table, exp.Table):
            return None
        parts = [part for part in (table.args.get("catalog"), table.args.get("db"), table.this) if part is not None]
        flat = [inner for part in parts for inner in (part.flatten() if isinstance(part, exp.Dot) else [part])]
        if not flat or not all(isinstance(part, exp.Identifier) for part in flat):
            return None
        return ".".join(self._fold(part) for part in flat)

    def _fold(self, part: exp.Expr) -> str:
        mark = "#" if part.args.get("temporary") else ""
        return mark + fold(part.name, bool(part.args.get("quoted")), self.engine)

    def _write(self, node: exp.Expr | None, *, reads: bool = False, creates: bool = False, prefix: str = "") -> None:
        if node is None:
            return
        name = self.name(node)
        if name is None or PLACEHOLDER in name:
            self.facts.unknown = True
            self.facts.parameter_tables |= name is not None
            return
        self.facts.writes.add(prefix + name)
        self._goes_through(name)
        if reads:
            self.facts.reads.add(prefix + name)
        if creates:
            self.facts.creates.add(prefix + name)

    def _create(self, node: exp.Create) -> None:
        target = node.this
        kind = str(node.args.get("kind") or "").upper()
        if isinstance(target, exp.Index):
            self._write(target.args.get("table"), reads=True)
        elif isinstance(target, exp.UserDefinedFunction):
            self._write(target.this, creates=True, prefix="function:")
        else:
            self._write(target, creates=True, prefix=_PREFIXES.get(kind, ""))
            if node.args.get("exists"):
                self.facts.if_missing |= self.facts.creates
            for child in _children(target) if isinstance(target, exp.Schema) else ():
                if child is not target.this:
                    self.query(child, frozenset())
        definitions = node.args.get("with_")
        for child in _children(node):
            if child is not target and child is not definitions:
                self._body(child, definitions)

    def _body(self, child: exp.Expr, definitions: exp.Expr | None) -> None:
        """The query of CREATE … AS; dialects differ in whose child its WITH is."""
        if definitions is not None and child.args.get("with_") is None and isinstance(child, exp.Query):
            child = child.copy()
            child.set("with_", definitions.copy())
        self.query(child, frozenset())

    def _drop(self, node: exp.Drop) -> None:
        prefix = _PREFIXES.get(str(node.args.get("kind") or "").upper(), "")
        targets = node.args.get("tables") or [node.this]
        for target in targets:
            self._write(target, reads=not node.args.get("exists"), prefix=prefix)
        self.facts.drops |= self.facts.writes
        if node.args.get("exists"):
            self.facts.if_there |= self.facts.writes

    def _change(self, node: exp.Expr, ctes: frozenset[str] = frozenset()) -> None:
        """INSERT, UPDATE, DELETE, MERGE: the target is read too, for it must exist."""
        definitions, target = node.args.get("with_"), node.this
        aliases = self._aliases(node)
        deleted = node.args.get("tables")
        for written in deleted or [target]:
            name = self.name(written) if written is not None else None
            table = aliases.get(name or "", written)
            self._file_or_table(table, name, ctes)
        for child in _children(node):
            if child is definitions or child in (deleted or ()):
                continue
            if child is target and not deleted:
                for part in _children(child):
                    self.query(part, ctes)
            else:
                self.query(child, ctes)

    def _file_or_table(self, table: exp.Expr | None, name: str | None, ctes: frozenset[str]) -> None:
        if isinstance(table, exp.Directory):
            self.facts.writes.add(f"file:{table.name}")
        elif name is None or name not in ctes:
            self._write(table, reads=True)

    def _aliases(self, node: exp.Expr) -> dict[str, exp.Expr]:
        """UPDATE a … FROM t AS a writes t."""
        sources: list[exp.Expr] = []
        origin = node.args.get("from_")
        if isinstance(origin, exp.From):
            sources += origin.find_all(exp.Table)
        if node.args.get("tables"):
            sources += node.this.find_all(exp.Table)
            sources += [table for source in node.args.get("using") or () for table in source.find_all(exp.Table)]
        return {
            self._fold(table.args["alias"].this): table
            for table in sources
            if table.args.get("alias") is not None and table.args["alias"].this is not None
        }

    def _truncate(self, node: exp.TruncateTable) -> None:
        for target in node.expressions:
            self._write(target, reads=not node.args.get("exists"))
        if node.args.get("exists"):
            self.facts.if_there |= self.facts.writes

    def _alter(self, node: exp.Alter) -> None:
        prefix = _PREFIXES.get(str(node.args.get("kind") or "").upper(), "")
        self._write(node.this, reads=not node.args.get("exists"), prefix=prefix)
        if node.args.get("exists"):
            self.facts.if_there |= self.facts.writes
        for action in node.args.get("actions") or ():
            if isinstance(action, exp.AlterRename):
                self._write(action.this, creates=True, prefix=prefix)
            elif isinstance(action, exp.Expr):
                self.query(action, frozenset())

    def _copy(self, node: exp.Copy) -> None:
        files = {f"file:{file.name}" for file in node.args.get("files") or () if isinstance(file, exp.Literal)}
        if node.args.get("kind"):
            self._write(node.this, reads=True)
            self.facts.reads |= files
        else:
            self.query(node.this, frozenset())
            self.facts.writes |= files or {"file:"}

    def _attach(self, node: exp.Attach) -> None:
        source = node.this
        path = source.this if isinstance(source, exp.Alias) else source
        name = source.alias if isinstance(source, exp.Alias) else re.sub(r"^.*[/\\]|\.\w+$", "", path.name)
        self.facts.reads.add(f"file:{path.name}")
        self.facts.writes.add(f"db:{fold(name, False, self.engine)}")
        self.facts.creates.add(f"db:{fold(name, False, self.engine)}")

    def _detach(self, node: exp.Detach) -> None:
        name = f"db:{fold(node.this.name, False, self.engine)}"
        self.facts.writes.add(name)
        if not node.args.get("exists"):
            self.facts.reads.add(name)

    def _use(self, node: exp.Use) -> None:
        name = self.name(node.this) if node.this is not None else None
        kind = str(node.args.get("kind") or "").upper()
        if name is not None and kind not in ("ROLE", "WAREHOUSE"):
            database = kind == "DATABASE" or self.dialect in ("mysql", "tsql")
            self.facts.reads.add(("db:" if database else "schema:") + name)
            self.facts.needs.add(f"db:{name.split('.')[0]}")

    def _both(self, node: exp.Expr) -> None:
        target = node.args.get("securable") or node.this
        if isinstance(target, exp.Table):
            self._write(target, reads=True)

    def _command(self, node: exp.Command) -> None:
        self.facts.unknown |= str(node.this).lower() not in _HARMLESS


def _does_more(node: exp.Expr) -> bool:
    """Functions the parser does not know count as doing anything: `setval`, `pg_advisory_lock`, a user's own."""
    if isinstance(node, exp.Anonymous):
        return node.name.lower() not in _ONLY_ASK
    return isinstance(node, _DO_MORE)


def fold(name: str, quoted: bool, engine: Dialect) -> str:
    """How the dialect reads an identifier: unquoted ones in lower or upper case, or as they stand."""
    strategy = engine.normalization_strategy
    if quoted or strategy is NormalizationStrategy.CASE_SENSITIVE or type(engine).__name__ == "BigQuery":
        return name
    upper = strategy in (NormalizationStrategy.UPPERCASE, NormalizationStrategy.CASE_INSENSITIVE_UPPERCASE)
    return name.upper() if upper else name.lower()


def _folded_text(text: str, engine: Dialect) -> str:
    """A dotted name as it stands in the text."""
    parts = re.findall(r'"[^"]*"|`[^`]*`|\[[^\]]*\]|[\w$#]+', text)
    return ".".join(part[1:-1] if part[0] in '"`[' else fold(part, False, engine) for part in parts)


def _children(node: exp.Expr) -> Iterator[exp.Expr]:
    for value in node.args.values():
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, exp.Expr):
                yield child


def table_spans(sql: str, dialect: str, name: str, new: str) -> list[tuple[int, int]] | None:
    """Where a statement names this unqualified table: in FROM and the like, and before the dot of a column.

    None if the same statement calls something else by that name or by the new one, so that the two cannot be told
    apart. Quotes are part of a span.
    """
    if explained := _EXPLAIN.match(sql):
        sql = " " * explained.end() + sql[explained.end() :]
    try:
        trees = [tree for tree in _trees(sql, Dialect.get_or_raise(dialect)) if tree is not None]
    except (SqlglotError, ValueError, RecursionError):
        return None
    nodes = [node for tree in trees for node in tree.walk()]
    if any(isinstance(node, exp.Command) for node in nodes):
        return None if re.search(rf"\b{re.escape(name)}\b", sql) else []
    called = {node.this.name.lower() for node in nodes if isinstance(node, exp.TableAlias) and node.this is not None}
    tables = [node for node in nodes if isinstance(node, exp.Table) and node.name == name and not node.args.get("db")]
    if not tables:
        return []
    if called & {name.lower(), new.lower()}:
        return None
    found = [table.this for table in tables]
    if any(table.args.get("alias") is None for table in tables):
        found += [node.args["table"] for node in nodes if isinstance(node, exp.Column) and node.table == name]
    spans = [(part.meta.get("start"), part.meta.get("end")) for part in found]
    return None if any(start is None for start, _ in spans) else sorted({(start, end + 1) for start, end in spans})
