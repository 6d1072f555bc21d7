/** How this browser shows notebooks: line numbers, folded outputs. Kept here and told to nobody. */

import { effect, signal, type Signal } from "@preact/signals";

const NUMBERS = "tailrace.line-numbers";
const FOLDED = "tailrace.folded";
const CODES = "tailrace.folded-code";
const ABOVE = "tailrace.outputs-above";
const KEPT = 500; // folded cells, over all notebooks, and notebooks remembered

export const lineNumbersShown = signal(localStorage.getItem(NUMBERS) === "yes");
/** Notebooks whose outputs stand above the code. */
export const outputsAbove = signal<ReadonlySet<string>>(new Set((localStorage.getItem(ABOVE) ?? "").split(" ").filter(Boolean)));
export const hiddenCodes = signal<ReadonlySet<string>>(new Set((localStorage.getItem(CODES) ?? "").split(" ").filter(Boolean)));
export const hiddenOutputs = signal<ReadonlySet<string>>(new Set((localStorage.getItem(FOLDED) ?? "").split(" ").filter(Boolean)));

effect(() => localStorage.setItem(NUMBERS, lineNumbersShown.value ? "yes" : "no"));
effect(() => localStorage.setItem(FOLDED, [...hiddenOutputs.value].slice(-KEPT).join(" ")));

effect(() => localStorage.setItem(CODES, [...hiddenCodes.value].slice(-KEPT).join(" ")));
effect(() => localStorage.setItem(ABOVE, [...outputsAbove.value].slice(-KEPT).join(" ")));

export function toggleOutput(cellId: string): void {
  toggle(hiddenOutputs, cellId);
}

export function toggleCode(cellId: string): void {
  toggle(hiddenCodes, cellId);
}

export function toggleAbove(notebookId: string): void {
  toggle(outputsAbove, notebookId);
}

function toggle(set: Signal<ReadonlySet<string>>, id: string): void {
  const now = new Set(set.value);
  if (!now.delete(id)) now.add(id);
  set.value = now;
}
