/** What may stand at a place of a SQL text: the names before the dot, and the tables of the statement. Pure; no grammar. */

export interface SqlContext {
  /** UTF-16 units: where the word to complete begins. */
  from: number;
  /** Names before the last dot: `s`, `t` in `s.t.co|`. */
  path: readonly string[];
  /** What the word is: a column or table; a Python name after `:` or in braces; nothing in strings and comments. */
  kind: "name" | "python" | "none";
  /** Tables of this statement by the name that qualifies their columns, as paths. */
  tables: ReadonlyMap<string, readonly string[]>;
  /** Names that a WITH of this statement gives. */
  ctes: readonly string[];
}

const HIDDEN = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*(?:'|$)/g;
const NAME = String.raw`(?:"(?:[^"]|"")*"|[\p{L}_][\p{L}\p{N}_$]*)`;
const PATH = String.raw`${NAME}(?:\s*\.\s*${NAME})*`;
const SOURCES = new RegExp(String.raw`\b(?:from|join|update|into|table)\s+`, "giu");
const SOURCE = new RegExp(String.raw`\s*(${PATH})(?:\s+(?:as\s+)?(${NAME}))?`, "iuy");
const CTE = new RegExp(String.raw`(?:\bwith\s+(?:recursive\s+)?|\)\s*,\s*)(${NAME})\s+as\s*(?:not\s+)?(?:materialized\s*)?\(`, "giu");
const BEFORE = new RegExp(String.raw`((?:${NAME}\s*\.\s*)*)((?:"[^"]*|[\p{L}\p{N}_$]+)?)$`, "u");
const NO_ALIAS = new Set(
  ("where on join left right inner outer full cross natural group order having limit offset union intersect except using set values " +
    "select window qualify as lateral asof positional anti semi when returning fetch for tablesample pivot unpivot").split(" "),
);

export function contextAt(sql: string, position: number): SqlContext {
  const plain = sql.replace(HIDDEN, (text) => " ".repeat(text.length));
  const start = plain.lastIndexOf(";", position - 1) + 1;
  const close = plain.indexOf(";", position);
  const end = close < 0 ? plain.length : close;
  const found = BEFORE.exec(plain.slice(start, position))!;
  const from = position - found[2]!.length;
  const statement = `${plain.slice(start, from)} ${plain.slice(position, end)}`; // the word itself names nothing yet
  const path = namesIn(found[1]!);
  return { from, path, kind: kindAt(sql, plain, from, position, path.length > 0), tables: tablesOf(statement), ctes: [...statement.matchAll(CTE)].map((one) => unquoted(one[1]!)) };
}

function kindAt(sql: string, plain: string, from: number, position: number, qualified: boolean): SqlContext["kind"] {
  if ([...sql.matchAll(HIDDEN)].some((one) => one.index < position && (position < one.index + one[0].length || isOpen(one[0])) && position <= one.index + one[0].length)) return "none";
  if (/(^|[^:]):$/.test(plain.slice(0, from)) && !qualified) return "python";
  const brace = plain.lastIndexOf("{", position - 1);
  return brace > plain.lastIndexOf("}", position - 1) && plain[brace - 1] !== "{" ? "python" : "name";
}

/** A comment of one line, or a string or comment that nothing closes: its end is inside. */
function isOpen(hidden: string): boolean {
  if (hidden.startsWith("--")) return true;
  return hidden.startsWith("/*") ? !hidden.endsWith("*/") : hidden.length === 1 || !hidden.endsWith("'");
}

function tablesOf(statement: string): Map<string, readonly string[]> {
  const tables = new Map<string, readonly string[]>();
  for (const start of statement.matchAll(SOURCES)) {
    let at = start.index + start[0].length;
    for (;;) {
      SOURCE.lastIndex = at;
      const source = SOURCE.exec(statement);
      if (!source || NO_ALIAS.has(source[1]!.toLowerCase())) break;
      const path = namesIn(`${source[1]!}.`);
      const alias = source[2] !== undefined && !NO_ALIAS.has(source[2].toLowerCase()) ? unquoted(source[2]) : path.at(-1)!;
      tables.set(alias, path);
      const comma = /\s*,/y;
      comma.lastIndex = at + source[0].length;
      if (!comma.test(statement)) break;
      at = comma.lastIndex;
    }
  }
  return tables;
}

/** The names of `a."b c".`, unquoted. */
function namesIn(path: string): string[] {
  return [...path.matchAll(new RegExp(NAME, "gu"))].map((one) => unquoted(one[0]));
}

function unquoted(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name;
}
