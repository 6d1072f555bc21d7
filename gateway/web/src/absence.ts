/** What changed in a notebook while this page could not hear: told once, and only when something did. Pure. */

import type { NotebookState } from "./fold";
import type { Status } from "./protocol";

export interface Missed {
  /** Cells with another text, kind or mode, or that are new. */
  changed: readonly string[];
  gone: number; // cells
  /** Cells with other outputs, whose values the kernel has: one that only came back from the file did not run. */
  ran: readonly string[];
}

const RAN: ReadonlySet<Status> = new Set(["running", "success", "error", "interrupted"]);

/** From the loss of a connection to the next live one. A socket that the page itself threw away was no absence. */
export class Absence {
  private before: NotebookState | undefined;
  private own = false;

  /** The page is about to drop its socket and attach again at once. */
  resync(): void {
    this.own = true;
  }

  /** The connection is lost; `state` is what a person sees, undefined before there was anything to see. */
  began(state: NotebookState | undefined): void {
    if (!this.own) this.before ??= state;
    this.own = false;
  }

  /** Live again. What a person saw before the loss, if there was one. */
  ended(): NotebookState | undefined {
    const before = this.before;
    this.before = undefined;
    this.own = false;
    return before;
  }
}

/** Undefined when a person sees what was seen before. `own` are cells whose text this page is about to send. */
export function missed(before: NotebookState, after: NotebookState, own: (cellId: string) => boolean): Missed | undefined {
  const changed: string[] = [];
  const ran: string[] = [];
  for (const [id, cell] of after.cells) {
    const former = before.cells.get(id);
    if (!former || former.code !== cell.code || former.type !== cell.type || former.mode !== cell.mode) {
      if (!own(id)) changed.push(id);
    } else if (RAN.has(cell.status) && said(former) !== said(cell)) ran.push(id);
  }
  const gone = [...before.cells.keys()].filter((id) => !after.cells.has(id)).length;
  return changed.length + ran.length + gone > 0 ? { changed, gone, ran } : undefined;
}

function said(cell: { outputs: readonly unknown[]; omittedBytes?: number }): string {
  return JSON.stringify([cell.outputs, cell.omittedBytes]);
}
