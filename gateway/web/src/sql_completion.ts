/** Completions of a SQL cell: tables and columns of its connection, frames of the notebook. A chunk of its own. */

import type { Notebook } from "./notebook";
import type { SchemaNode } from "./panels/schema_panel";
import type { Variable } from "./panels/variables_panel";
import type { SqlContext } from "./sql_context";

export interface Option {
  label: string;
  /** Written in place of the label, where the name needs quotes. */
  apply?: string;
  detail?: string;
  type: "table" | "column" | "schema" | "variable";
  /** Higher comes first among equals; keywords have none. */
  boost: number;
}

export interface Options {
  from: number; // UTF-16 units
  options: Option[];
}

const FRAME = /^(?:pandas|polars|pyarrow)\..*(?:DataFrame|LazyFrame|Table|RecordBatch|RecordBatchReader)$/;
const DEFAULT_SCHEMAS: Readonly<Record<string, string>> = { postgresql: "public", duckdb: "main", sqlite: "main", mssql: "dbo" };
const PLAIN = /^[a-z_][a-z0-9_]*$/;

/**
 * What was asked of the databases of one notebook. The kernel keeps its answers until a cell changes the structure, so
 * this cache holds only until the next run ends or a connection changes.
 */
class Schemas {
  private readonly answers = new Map<string, Promise<readonly SchemaNode[]>>();
  private frames: Promise<readonly Variable[]> | undefined;

  constructor(private readonly notebook: Notebook) {
    notebook.store.onFold((events) => {
      if (events.length > 0 && !events.some(({ type }) => type === "run_finished" || type === "db_connection_updated" || type === "kernel_status")) return;
      this.answers.clear();
      this.frames = undefined;
    });
  }

  children(connection: string, path: readonly string[]): Promise<readonly SchemaNode[]> {
    const key = JSON.stringify([connection, path]);
    const known = this.answers.get(key);
    if (known) return known;
    const asked = this.notebook.ask({ type: "schema", connection, path: [...path] }).then((answer) => {
      if (!answer) this.answers.delete(key); // no answer now may be one later
      return (answer?.["nodes"] ?? []) as readonly SchemaNode[];
    });
    this.answers.set(key, asked);
    return asked;
  }

  variables(): Promise<readonly Variable[]> {
    return (this.frames ??= this.notebook.ask({ type: "variable_page", limit: 1_000 }).then((answer) => (answer?.["variables"] ?? []) as readonly Variable[]));
  }
}

const known = new WeakMap<Notebook, Schemas>();

function schemasOf(notebook: Notebook): Schemas {
  const found = known.get(notebook) ?? new Schemas(notebook);
  known.set(notebook, found);
  return found;
}

/** Undefined where nothing can be offered. */
export async function completeSql(notebook: Notebook, cellId: string, context: SqlContext): Promise<Options | undefined> {
  const { from, kind, path } = context;
  if (kind === "none" || notebook.connection.state.peek() !== "live") return undefined;
  const schemas = schemasOf(notebook);
  if (kind === "python") return { from, options: names(await schemas.variables(), () => true) };
  const connection = notebook.store.cell(cellId)?.peek().connection ?? "default";
  const used = notebook.store.db.peek().find(({ name }) => name === connection);
  const embedded = used?.dialect === undefined || used.dialect === "duckdb";
  const dialect = used?.dialect ?? "duckdb";
  const quote = dialect === "mysql" || dialect === "mariadb" ? "`" : '"';
  const options = path.length > 0 ? await inside(schemas, connection, dialect, context, quote) : await outside(schemas, connection, dialect, context, quote, embedded);
  return options.length > 0 ? { from, options } : undefined;
}

/** After a dot: columns of a table of the statement, else tables of a schema, else columns of a table by its name. */
async function inside(schemas: Schemas, connection: string, dialect: string, { path, tables }: SqlContext, quote: string): Promise<Option[]> {
  const table = path.length === 1 ? tables.get(path[0]!) : undefined;
  const columns = await columnsOf(schemas, connection, dialect, table ?? path);
  if (columns.length > 0) return options(columns, "column", quote);
  return path.length === 1 ? options(await schemas.children(connection, path), "table", quote) : [];
}

async function outside(schemas: Schemas, connection: string, dialect: string, { tables, ctes }: SqlContext, quote: string, embedded: boolean): Promise<Option[]> {
  const schema = await defaultSchema(schemas, connection, dialect);
  const [roots, own, variables, ...columns] = await Promise.all([
    schemas.children(connection, []),
    schema === undefined ? [] : schemas.children(connection, [schema]),
    embedded ? schemas.variables() : [],
    ...[...tables.values()].map((path) => columnsOf(schemas, connection, dialect, path)),
  ]);
  return distinct([
    ...options(columns.flat(), "column", quote).map((option) => ({ ...option, boost: 3 })),
    ...[...tables.keys(), ...ctes].map((label): Option => ({ label, type: "table", detail: "here", boost: 2 })),
    ...options(own, "table", quote),
    ...names(variables, ({ type }) => FRAME.test(type)),
    ...options(roots.filter(({ kind }) => kind === "schema"), "schema", quote),
  ]);
}

async function columnsOf(schemas: Schemas, connection: string, dialect: string, path: readonly string[]): Promise<readonly SchemaNode[]> {
  if (path.length >= 2) return schemas.children(connection, path.slice(-2));
  const schema = await defaultSchema(schemas, connection, dialect);
  if (schema === undefined || !(await schemas.children(connection, [schema])).some(({ name }) => name === path[0])) return [];
  return schemas.children(connection, [schema, path[0]!]);
}

async function defaultSchema(schemas: Schemas, connection: string, dialect: string): Promise<string | undefined> {
  const roots = await schemas.children(connection, []);
  const usual = DEFAULT_SCHEMAS[dialect];
  return roots.find(({ name }) => name === usual)?.name ?? (roots.length === 1 ? roots[0]!.name : undefined);
}

function options(nodes: readonly SchemaNode[], type: Option["type"], quote: string): Option[] {
  return nodes.map(({ name, kind, type: detail }) => ({
    label: name,
    type,
    detail: detail ?? kind,
    boost: type === "schema" ? 1 : 2,
    ...(!PLAIN.test(name) && { apply: quote + name.replaceAll(quote, quote + quote) + quote }),
  }));
}

function names(variables: readonly Variable[], wanted: (variable: Variable) => boolean): Option[] {
  return variables.filter((one) => wanted(one) && !one.name.includes(":")).map(({ name, type, shape }) => ({ label: name, type: "variable", boost: 2, detail: [type.split(".").at(-1), shape?.join(" × ")].filter(Boolean).join(" ") }));
}

function distinct(options: readonly Option[]): Option[] {
  const seen = new Set<string>();
  return options.filter(({ label }) => !seen.has(label) && seen.add(label));
}
