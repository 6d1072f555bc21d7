/** What changed in a notebook while this page could not hear: told once, and only when something did. Pure. */

import type { NotebookState } from "./fold";

export interface Missed {
  /** Cells with another text, kind or mode, or that are new. */
  changed: readonly string[];
  gone: number; // cells
  /** Cells with other outputs. */
  ran: readonly string[];
}

/** Undefined when a person sees what was seen before. `own` are cells whose text this page is about to send. */
export function missed(before: NotebookState, after: NotebookState, own: (cellId: string) => boolean): Missed | undefined {
  const changed: string[] = [];
  const ran: string[] = [];
  for (const [id, cell] of after.cells) {
    const former = before.cells.get(id);
    if (!former || former.code !== cell.code || former.type !== cell.type || former.mode !== cell.mode) {
      if (!own(id)) changed.push(id);
    } else if (said(former) !== said(cell)) ran.push(id);
  }
  const gone = [...before.cells.keys()].filter((id) => !after.cells.has(id)).length;
  return changed.length + ran.length + gone > 0 ? { changed, gone, ran } : undefined;
}

function said(cell: { outputs: readonly unknown[]; omittedBytes?: number }): string {
  return JSON.stringify([cell.outputs, cell.omittedBytes]);
}
