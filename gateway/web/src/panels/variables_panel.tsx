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
  /** The cell that wrote it last. */
  cell_id?: string | null;
}

const PAGE = 1_000; // names in one answer
const MOST = 5_000; // names shown; a filter finds the rest only when they are few

/** Every name of the notebook with what it holds; undefined when the kernel gives no answer now. */
async function look(notebook: Notebook): Promise<Variable[] | undefined> {
  const found: Variable[] = [];
  for (let offset = 0; offset < MOST; offset += PAGE) {
    const answer = await notebook.ask({ type: "variable_page", offset, limit: PAGE });
    if (!answer) return undefined;
    found.push(...((answer["variables"] ?? []) as Variable[]));
    if (found.length >= Number(answer["total"] ?? 0)) break;
  }
  return found;
}

/** Names whose type, shape or preview is another one, and those that are new. Pure; nothing changed against nothing. */
export function changedNames(before: readonly Variable[], after: readonly Variable[]): Set<string> {
  if (before.length === 0) return new Set();
  const said = ({ type, shape, preview }: Variable) => `${type} ${shape?.join() ?? ""} ${preview}`;
  const former = new Map(before.map((one) => [one.name, said(one)]));
  return new Set(after.filter((one) => former.get(one.name) !== said(one)).map(({ name }) => name));
}

/** Those whose name, type or cell holds every word. Pure. */
export function matchingVariables(variables: readonly Variable[], query: string): Variable[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return variables.filter(({ name, type }) => words.every((word) => `${name} ${type}`.toLowerCase().includes(word)));
}

export function VariablesPanel() {
  const notebook = useNotebook();
  const variables = useSignal<readonly Variable[]>([]);
  const changed = useSignal<ReadonlySet<string>>(new Set());
  const filter = useSignal("");
  useEffect(() => {
    let gone = false;
    let asking = false;
    let again = false;
    const refresh = async () => {
      if (asking) return void (again = true);
      asking = true;
      const found = await look(notebook);
      asking = false;
      if (gone) return;
      if (found) {
        changed.value = changedNames(variables.peek(), found);
        variables.value = found;
      }
      if (again) {
        again = false;
        void refresh();
      }
    };
    void refresh();
    const stop = notebook.store.onFold((events, before, after) => {
      const started = before.kernel.state !== after.kernel.state && after.kernel.state === "idle";
      if (started || events.some((event) => event.type === "run_finished" || event.type === "cell_deleted")) void refresh();
    });
    return () => {
      gone = true;
      stop();
    };
  }, []);
  const shown = matchingVariables(variables.value, filter.value);
  return (
    <>
      <input type="search" aria-label="Filter variables" placeholder="Filter by name or type" value={filter.value} onInput={(event) => (filter.value = event.currentTarget.value)} />
      {variables.value.length === 0 && <p class="empty">Names that your cells define appear here after they ran.</p>}
      {variables.value.length > 0 && shown.length === 0 && <p class="empty">No name or type holds that.</p>}
      <ul class="variables">
        {shown.map(({ name, type, preview, shape, size, cell_id: writer }) => (
          <li key={`${name} ${preview}`} data-changed={changed.value.has(name) || undefined}>
            <p class="headline">
              <code class="name">{name}</code>
              <span class="type-word">{type}{shape && shape.length > 0 && ` ${shape.join(" × ")}`}</span>
              {size !== undefined && <span class="type-word">{byteCount(size)}</span>}
              {writer && <CellLink cellId={writer} />}
            </p>
            <code class="preview">{preview}</code>
          </li>
        ))}
      </ul>
    </>
  );
}
