/** The words for states, reasons and durations. */

import { expect, it } from "vitest";

import { announce } from "../src/announcer";
import { byteCount, duration, holdsValues, reasonOf, shownState } from "../src/cell_state";
import { fold, load } from "../src/fold";
import { cell, snapshot } from "./fakes";

it.each([
  [cell("a", { status: "idle" }), "Not run"],
  [cell("a", { status: "stale", reason: { code: "edited" } }), "Edited"],
  [cell("a", { status: "stale", reason: { code: "inputs_changed" } }), "Stale"],
  [cell("a", { status: "stale", reason: { code: "not_run_here" } }), "Not run"],
  [cell("a", { status: "success" }), "Done"],
  [cell("a", { status: "error" }), "Failed"],
  [cell("a", { status: "blocked" }), "Blocked"],
] as const)("says %# in a word", (one, word) => expect(shownState(one, false).word).toBe(word));

it("says Edited of text that was not sent yet, unless the cell runs", () => {
  expect(shownState(cell("a", { status: "success" }), true).word).toBe("Edited");
  expect(shownState(cell("a", { status: "running" }), true).word).toBe("Running");
});

it("gives the reason with its cells", () => {
  const stale = cell("a", { status: "stale", reason: { code: "inputs_changed", names: ["x"], fromCells: ["b"] } });
  expect(reasonOf(stale)).toEqual({ text: "x changed in", cells: ["b"] });
  expect(reasonOf(cell("a", { status: "stale", reason: { code: "of_a_newer_gateway", message: "because" } }))?.text).toBe("because");
  expect(reasonOf(cell("a", { status: "success", reason: { code: "requested" } }))).toBeUndefined();
});

it.each([[0.00085, "850 µs"], [0.012, "12 ms"], [1.23, "1.2 s"], [200, "3 min 20 s"]])("writes %d s as %s", (seconds, text) =>
  expect(duration(seconds)).toBe(text));

it("writes bytes", () => expect([byteCount(12), byteCount(3_400_000)]).toEqual(["12 bytes", "3.4 MB"]));

it("announces failures and ends of runs, and nothing else", () => {
  const base = { ts: 0, notebookId: "n" };
  const state = load(snapshot([cell("a"), cell("b")]));
  const failed = { ...base, seq: 1, type: "cell_error" as const, cellId: "b", error: { ename: "KeyError", evalue: "x", traceback: [] } };
  expect(announce([failed], fold(state, [failed]))).toBe("Cell 2 failed: KeyError.");
  const printed = { ...base, seq: 1, type: "cell_stdout" as const, cellId: "b", data: "x", stream: "stdout" as const };
  expect(announce([printed], fold(state, [printed]))).toBeUndefined();
});

it.each([
  ["success", undefined, true],
  ["error", undefined, true],
  ["stale", "edited", true],
  ["stale", "inputs_changed", true],
  ["stale", "kernel_restarted", false],
  ["stale", "not_run_here", false],
  ["idle", undefined, false],
] as const)("knows whether a restart loses what a cell wrote: %s, %s", (status, code, loses) => {
  const one = cell("a", { status, writes: ["x"], ...(code && { reason: { code } }) });
  expect(holdsValues(one)).toBe(loses);
  expect(holdsValues({ ...one, writes: [] })).toBe(false);
});
