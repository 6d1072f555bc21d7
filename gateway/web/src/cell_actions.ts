/** What is made of several commands on cells: merge, split, copy and paste, insert above. Knows the notebook's commands only. */

import { writerOf } from "./definition";
import type { Notebook } from "./notebook";
import type { CellType } from "./protocol";

interface Copied {
  type: CellType;
  code: string;
}

let copied: Copied | undefined;

export function insertCell(notebook: Notebook, cellId: string | undefined, where: "above" | "below"): void {
  notebook.createCell("python", placeOf(notebook, cellId, where), "command");
}

function placeOf(notebook: Notebook, cellId: string | undefined, where: "above" | "below"): string | null {
  const order = notebook.store.order.peek();
  if (cellId === undefined) return order.at(-1) ?? null;
  return where === "below" ? cellId : (order[order.indexOf(cellId) - 1] ?? null);
}

/** This cell's text is appended to that of the one above. */
export function mergeWithAbove(notebook: Notebook, cellId: string): void {
  const order = notebook.store.order.peek();
  const above = order[order.indexOf(cellId) - 1];
  if (above === undefined) return;
  mergeWithBelow(notebook, above);
  notebook.focus(above, "command");
}

const HEADING = /^\s*#*\s*/;

/** A Markdown cell that begins with a heading of this level, from 1. */
export function makeHeading(notebook: Notebook, cellId: string, level: number): void {
  if (notebook.store.cell(cellId)?.peek().type !== "markdown") notebook.setCell(cellId, { cellType: "markdown" });
  notebook.setCode(cellId, notebook.drafts.text(cellId).replace(HEADING, `${"#".repeat(level)} `));
}

/** The next cell's text is appended to this one's. */
export function mergeWithBelow(notebook: Notebook, cellId: string): void {
  const order = notebook.store.order.peek();
  const below = order[order.indexOf(cellId) + 1];
  if (below === undefined) return;
  const text = `${notebook.draft(cellId)?.text ?? ""}\n${notebook.draft(below)?.text ?? ""}`;
  notebook.deleteCell(below, "command");
  notebook.setCode(cellId, text);
}

export function splitCell(notebook: Notebook, cellId: string, before: string, after: string): void {
  const type = notebook.store.cell(cellId)?.peek().type ?? "python";
  notebook.setCode(cellId, before);
  notebook.createCell(type, cellId, "edit", after);
}

/** The same for the name at the cursor that the cell's editor has, or had. */
export function goToDefinitionAtCursor(notebook: Notebook, cellId: string): void {
  const name = notebook.focusing.nameAtCursor(cellId);
  if (name === undefined) notebook.announcement.value = "No name is at the cursor of this cell.";
  else goToDefinition(notebook, cellId, name);
}

/** The cell that a name of this cell comes from, if any cell is known to write it. */
export function writerFor(notebook: Notebook, cellId: string, name: string): string | undefined {
  const { order, cells } = notebook.store.now;
  return writerOf(name, cellId, order, (id) => cells.get(id)?.writes ?? []);
}

/** Edit the cell that writes the name; a name that nobody writes is said to be so. */
export function goToDefinition(notebook: Notebook, cellId: string, name: string): void {
  const writer = writerFor(notebook, cellId, name);
  if (writer === undefined) notebook.announcement.value = `No cell is known to write ${name}.`;
  else notebook.focus(writer);
}

/** Find in all cells, beginning with what is selected in the editor; `step` goes on to a match at once. */
export function find(notebook: Notebook, { replace = false, step = 0 }: { replace?: boolean; step?: -1 | 0 | 1 }): void {
  const at = step === 0 ? notebook.focusing.cursor() : undefined;
  const selected = at ? notebook.drafts.text(at.cellId).slice(at.from, at.to) : "";
  const mode = document.activeElement?.closest(".cm-editor") ? "edit" : "command";
  notebook.finding.value = { text: selected.includes("\n") ? "" : selected, replace, step, mode };
}

export function copyCell(notebook: Notebook, cellId: string): void {
  const cell = notebook.store.cell(cellId)?.peek();
  if (cell) copied = { type: cell.type, code: notebook.draft(cellId)?.text ?? cell.code };
}

export function cutCell(notebook: Notebook, cellId: string): void {
  copyCell(notebook, cellId);
  notebook.deleteCell(cellId, "command");
}

export function pasteCell(notebook: Notebook, cellId: string | undefined, where: "above" | "below"): void {
  if (copied) notebook.createCell(copied.type, placeOf(notebook, cellId, where), "command", copied.code);
}

/** Select the neighbour; does nothing at the ends. */
export function step(notebook: Notebook, cellId: string | undefined, by: -1 | 1): void {
  const order = notebook.store.order.peek();
  const next = cellId === undefined ? order[by === 1 ? 0 : order.length - 1] : order[order.indexOf(cellId) + by];
  if (next !== undefined) show(notebook, next);
}

/** Select the next cell with one of these states, going round at the end. */
export function nextWith(notebook: Notebook, cellId: string | undefined, statuses: readonly string[]): void {
  const order = notebook.store.order.peek();
  const at = cellId === undefined ? -1 : order.indexOf(cellId);
  const round = [...order.slice(at + 1), ...order.slice(0, at + 1)];
  const found = round.find((id) => statuses.includes(notebook.store.cell(id)?.peek().status ?? ""));
  if (found !== undefined) show(notebook, found);
}

/** Select a cell and bring it into view. */
export function show(notebook: Notebook, cellId: string): void {
  document.getElementById(`cell-${cellId}`)?.scrollIntoView({ block: "nearest" });
  notebook.focus(cellId, "command");
}
