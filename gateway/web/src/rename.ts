/** Renaming a variable in all cells: asks the kernel for the edits, makes sure that they fit, sends them as one step. */

import type { Notebook } from "./notebook";

export interface TextEdit {
  start: number; // code points
  end: number;
  text: string;
}

interface RenamedCell {
  cell_id: string; // the kernel's own spelling
  version: number;
  edits: TextEdit[];
}

export type Outcome = { refused: string } | { cells: number; places: number; unseen: readonly string[] };

const CHANGED = "Somebody changed a cell meanwhile. Nothing was renamed: try again.";

export async function renameVariable(notebook: Notebook, name: string, newName: string): Promise<Outcome> {
  if (notebook.connection.state.peek() !== "live") return { refused: "The gateway cannot be reached: rename when the connection is back." };
  notebook.drafts.saveAll();
  const answer = await notebook.questions.ask({ type: "rename_variable", name, newName });
  if (answer?.type !== "ack") return { refused: answer?.message ?? "The connection was lost. Nothing was renamed: try again." };
  notebook.store.flush();
  const cells = (answer.result?.["cells"] ?? []) as RenamedCell[];
  const texts = new Map<string, string>();
  for (const { cell_id: cellId, version, edits } of cells) {
    const cell = notebook.store.cell(cellId)?.peek();
    if (!cell) return { refused: `A cell of another frontend uses ${name}. Nothing was renamed.` };
    if (cell.version !== version || notebook.drafts.text(cellId) !== cell.code) return { refused: CHANGED };
    texts.set(cellId, edited(cell.code, edits));
  }
  notebook.rewrite(texts);
  const places = cells.reduce((sum, { edits }) => sum + edits.length, 0);
  return { cells: cells.length, places, unseen: (answer.result?.["unseen"] ?? []) as string[] };
}

/** The text after the edits, which are in order and apart. Pure. */
export function edited(code: string, edits: readonly TextEdit[]): string {
  const points = Array.from(code);
  for (const { start, end, text } of [...edits].reverse()) points.splice(start, end - start, text);
  return points.join("");
}

/** "5 places in 3 cells". */
export function counted(places: number, cells: number): string {
  return `${places} ${places === 1 ? "place" : "places"} in ${cells === 1 ? "1 cell" : `${cells} cells`}`;
}
