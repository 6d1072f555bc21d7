/** How this browser shows notebooks: line numbers, folded outputs. Kept here and told to nobody. */

import { effect, signal } from "@preact/signals";

const NUMBERS = "tailrace.line-numbers";
const FOLDED = "tailrace.folded";
const KEPT = 500; // folded cells remembered, over all notebooks

export const lineNumbersShown = signal(localStorage.getItem(NUMBERS) === "yes");
export const hiddenOutputs = signal<ReadonlySet<string>>(new Set((localStorage.getItem(FOLDED) ?? "").split(" ").filter(Boolean)));

effect(() => localStorage.setItem(NUMBERS, lineNumbersShown.value ? "yes" : "no"));
effect(() => localStorage.setItem(FOLDED, [...hiddenOutputs.value].slice(-KEPT).join(" ")));

export function toggleOutput(cellId: string): void {
  const now = new Set(hiddenOutputs.value);
  if (!now.delete(cellId)) now.add(cellId);
  hiddenOutputs.value = now;
}
