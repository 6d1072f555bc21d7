/** How this browser shows notebooks: line numbers, folded outputs. Kept here and told to nobody. */

import { effect, signal, type Signal } from "@preact/signals";

const NUMBERS = "tailrace.line-numbers";
const FOLDED = "tailrace.folded";
const CODES = "tailrace.folded-code";
const ABOVE = "tailrace.outputs-above";
const KEPT = 500; // folded cells remembered, over all notebooks

export const lineNumbersShown = signal(localStorage.getItem(NUMBERS) === "yes");
export const outputsAbove = signal(localStorage.getItem(ABOVE) === "yes");
export const hiddenCodes = signal<ReadonlySet<string>>(new Set((localStorage.getItem(CODES) ?? "").split(" ").filter(Boolean)));
export const hiddenOutputs = signal<ReadonlySet<string>>(new Set((localStorage.getItem(FOLDED) ?? "").split(" ").filter(Boolean)));

effect(() => localStorage.setItem(NUMBERS, lineNumbersShown.value ? "yes" : "no"));
effect(() => localStorage.setItem(FOLDED, [...hiddenOutputs.value].slice(-KEPT).join(" ")));

effect(() => localStorage.setItem(CODES, [...hiddenCodes.value].slice(-KEPT).join(" ")));
effect(() => localStorage.setItem(ABOVE, outputsAbove.value ? "yes" : "no"));

export function toggleOutput(cellId: string): void {
  toggle(hiddenOutputs, cellId);
}

export function toggleCode(cellId: string): void {
  toggle(hiddenCodes, cellId);
}

function toggle(set: Signal<ReadonlySet<string>>, cellId: string): void {
  const now = new Set(set.value);
  if (!now.delete(cellId)) now.add(cellId);
  set.value = now;
}
