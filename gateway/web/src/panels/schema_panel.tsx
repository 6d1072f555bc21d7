/** Schemas, tables and columns of a database connection, fetched level by level as a person opens them. */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { useNotebook } from "../context";
import { Icon } from "../icons";
import type { Notebook } from "../notebook";

export interface SchemaNode {
  name: string;
  kind: string;
  type?: string | null;
  has_children?: boolean; // the kernel's own spelling
}

type Answer = readonly SchemaNode[] | undefined; // undefined: no answer was to be had

async function children(notebook: Notebook, connection: string, path: readonly string[], refresh: boolean): Promise<Answer> {
  const answer = await notebook.ask({ type: "schema", connection, path: [...path], refresh });
  return answer?.["nodes"] as Answer;
}

export function SchemaPanel() {
  const { store } = useNotebook();
  const chosen = useSignal("default");
  const asked = useSignal(0);
  const names = [...new Set(["default", ...store.db.value.map(({ name }) => name)])];
  const used = store.db.value.find(({ name }) => name === chosen.value);
  return (
    <>
      <p class="row">
        {names.length > 1 && (
          <select aria-label="Connection" value={chosen.value} onChange={(event) => (chosen.value = event.currentTarget.value)}>
            {names.map((name) => <option key={name}>{name}</option>)}
          </select>
        )}
        <span class="type-word">{used?.dialect ?? "DuckDB, embedded"}</span>
        <span class="spacer" />
        <button onClick={() => (asked.value += 1)}><Icon name="stale" /> Refresh</button>
      </p>
      <div class="schema" data-testid="schema">
        <Level key={`${chosen.value} ${used?.connectionString ?? ""} ${asked.value}`} connection={chosen.value} path={[]} refresh={asked.value > 0} />
      </div>
    </>
  );
}

function Level({ connection, path, refresh }: { connection: string; path: readonly string[]; refresh: boolean }) {
  const notebook = useNotebook();
  const nodes = useSignal<Answer>(undefined);
  const state = useSignal<"asking" | "here" | "failed">("asking");
  const ask = async (again: boolean) => {
    state.value = "asking";
    nodes.value = await children(notebook, connection, path, again);
    state.value = nodes.value ? "here" : "failed";
  };
  useEffect(() => {
    void ask(refresh);
    return notebook.store.onFold((events) => {
      if (path.length < 2 && events.some((event) => event.type === "run_finished")) void ask(true); // a cell may have made a table
    });
  }, []);
  if (state.value === "failed")
    return <p class="empty">No answer: the kernel is busy or away. <button class="quiet" onClick={() => void ask(true)}>Ask again</button></p>;
  if (!nodes.value) return <p class="empty">Asking the database…</p>;
  if (nodes.value.length === 0) return <p class="empty">{path.length === 0 ? "Tables of this connection appear here." : "Nothing in here."}</p>;
  return (
    <ul aria-busy={state.value === "asking"}>
      {nodes.value.map((node) => <Node key={node.name} node={node} connection={connection} path={[...path, node.name]} refresh={refresh} />)}
    </ul>
  );
}

interface NodeProps {
  node: SchemaNode;
  connection: string;
  path: readonly string[];
  refresh: boolean;
}

function Node({ node, connection, path, refresh }: NodeProps) {
  const open = useSignal(false);
  if (node.has_children !== true)
    return (
      <li class="leaf" data-kind={node.kind}>
        <code>{node.name}</code> <span class="type-word">{node.type}</span>
      </li>
    );
  return (
    <li data-kind={node.kind}>
      <p class="branch">
        <Opener node={node} open={open} />
        {node.kind !== "schema" && <Query connection={connection} path={path} />}
      </p>
      {open.value && <Level connection={connection} path={path} refresh={refresh} />}
    </li>
  );
}

function Opener({ node, open }: { node: SchemaNode; open: Signal<boolean> }) {
  return (
    <button aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
      <Icon name={open.value ? "down" : "right"} />
      <code>{node.name}</code>
      <span class="type-word">{node.kind}</span>
    </button>
  );
}

/** The text of a cell that shows the first rows of a table. Names that need quotes get them. */
export function firstRows(connection: string, path: readonly string[]): string {
  const quoted = path.map((name) => (/^[a-z_][a-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`));
  return `${connection === "default" ? "" : `-- connection: ${connection}\n`}SELECT * FROM ${quoted.join(".")} LIMIT 100`;
}

function Query({ connection, path }: { connection: string; path: readonly string[] }) {
  const notebook = useNotebook();
  const add = () => {
    const order = notebook.store.order.peek();
    const after = notebook.selected !== undefined && order.includes(notebook.selected) ? notebook.selected : order.at(-1);
    notebook.createCell("sql", after ?? null, "edit", firstRows(connection, path));
  };
  return <button class="quiet" aria-label={`New cell with the first rows of ${path.at(-1)}`} title="New cell with its first rows" onClick={add}>SELECT</button>;
}
