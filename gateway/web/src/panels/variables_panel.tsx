/** What the names of the notebook hold now: asked of the kernel when the panel opens and after each run. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { CellLink } from "../cell_link";
import { byteCount } from "../cell_state";
import { useNotebook } from "../context";
import type { Notebook } from "../notebook";

export interface Variable {
  name: string;
  type: string;
  preview: string;
  shape?: readonly number[];
  size?: number; // bytes
}

const MOST = 200; // names asked for at once

/** Names that cells define, each with its last writer, in document order. Tables of databases are no variables. */
export function definedNames(notebook: Notebook): Map<string, string> {
  const { order, cells } = notebook.store.now;
  const names = order.flatMap((id) => (cells.get(id)?.writes ?? []).map((name) => [name, id] as const));
  return new Map(names.filter(([name]) => !name.includes(":")));
}

async function look(notebook: Notebook): Promise<Variable[]> {
  const names = [...definedNames(notebook).keys()].slice(0, MOST);
  const answers = await Promise.all(names.map((name) => notebook.ask({ type: "variable_page", name })));
  return answers.flatMap((answer) => (answer?.["variables"] ?? []) as Variable[]);
}

export function VariablesPanel() {
  const notebook = useNotebook();
  const variables = useSignal<readonly Variable[]>([]);
  const changed = useSignal<ReadonlySet<string>>(new Set());
  const filter = useSignal("");
  useEffect(() => {
    let gone = false;
    const refresh = async () => {
      const found = await look(notebook);
      if (gone) return;
      const before = new Map(variables.peek().map((one) => [one.name, one.preview]));
      changed.value = new Set(before.size === 0 ? [] : found.filter((one) => before.get(one.name) !== one.preview).map((one) => one.name));
      variables.value = found;
    };
    void refresh();
    const stop = notebook.store.onFold((events) => {
      if (events.some((event) => event.type === "run_finished" || event.type === "cell_deleted")) void refresh();
    });
    return () => {
      gone = true;
      stop();
    };
  }, []);
  const writers = definedNames(notebook);
  const word = filter.value.toLowerCase();
  const shown = variables.value.filter(({ name, type }) => `${name} ${type}`.toLowerCase().includes(word));
  return (
    <>
      <input type="search" aria-label="Filter variables" placeholder="Filter by name or type" value={filter.value} onInput={(event) => (filter.value = event.currentTarget.value)} />
      {variables.value.length === 0 && <p class="empty">Names that your cells define appear here after they ran.</p>}
      <ul class="variables">
        {shown.map(({ name, type, preview, shape, size }) => (
          <li key={`${name} ${preview}`} data-changed={changed.value.has(name) || undefined}>
            <p class="headline">
              <code class="name">{name}</code>
              <span class="type-word">{type}{shape && shape.length > 0 && ` ${shape.join(" × ")}`}</span>
              {size !== undefined && <span class="type-word">{byteCount(size)}</span>}
              {writers.has(name) && <CellLink cellId={writers.get(name)!} />}
            </p>
            <code class="preview">{preview}</code>
          </li>
        ))}
      </ul>
    </>
  );
}
