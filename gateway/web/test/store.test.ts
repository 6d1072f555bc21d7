/** One batch per frame, a signal per cell, no gap unnoticed. */

import { effect } from "@preact/signals";
import { expect, it } from "vitest";

import type { Event } from "../src/protocol";
import { Store } from "../src/store";
import { cell, snapshot } from "./fakes";

const print = (seq: number, cellId: string, hash?: string): Event => ({
  type: "cell_stdout", seq, ts: 0, notebookId: "n", cellId, data: `${seq} `, stream: "stdout", ...(hash !== undefined && { hash }),
});

it("folds what came within a frame at once, and tells only the cells concerned", () => {
  const store = new Store(snapshot([cell("a"), cell("b")]));
  const drawn: string[] = [];
  effect(() => void drawn.push(`a:${store.cell("a")!.value.stdout}`));
  effect(() => void drawn.push(`b:${store.cell("b")!.value.stdout}`));
  for (let seq = 1; seq <= 100; seq++) store.take(print(seq, "a"));
  expect(drawn).toEqual(["a:", "b:"]);
  expect(store.since.seq).toBe(100);
  store.flush();
  expect(drawn.length).toBe(3);
  expect(store.cell("a")!.value.stdout).toContain("100 ");
});

it("drops what it has and refuses a gap", () => {
  const store = new Store(snapshot([cell("a")], 5));
  expect(store.take(print(5, "a"))).toBe(true);
  expect(store.take(print(6, "a"))).toBe(true);
  expect(store.take(print(8, "a"))).toBe(false);
  store.advance(7);
  expect(store.take(print(8, "a"))).toBe(true);
  store.flush();
  expect(store.cell("a")!.value.stdout).toBe("6 8 ");
});

it("ends a batch at an event with the document's hash", () => {
  const store = new Store(snapshot([cell("a")]));
  const batches: number[] = [];
  store.onFold((events) => batches.push(events.length));
  store.take(print(1, "a"));
  store.take(print(2, "a", "0123"));
  expect(batches).toEqual([2]);
});

it("starts over from a snapshot and forgets what was waiting", () => {
  const store = new Store(snapshot([cell("a"), cell("b")]));
  store.take(print(1, "a"));
  store.reload(snapshot([cell("a", { stdout: "new" })], 50));
  expect(store.cell("a")!.value.stdout).toBe("new");
  expect(store.cell("b")).toBeUndefined();
  expect(store.since.seq).toBe(50);
});

it("tells queued cells their turn in the run, and counts down with it", () => {
  const store = new Store(snapshot(["a", "b", "c", "d"].map((id) => cell(id))));
  const common = { ts: 0, notebookId: "n", runId: "r1" };
  const turns = () => ["a", "b", "c", "d"].map((id) => store.queuePlace(id));
  expect(turns()).toEqual([undefined, undefined, undefined, undefined]);
  store.take({ ...common, type: "run_started", seq: 1, cells: ["a"], plan: ["a", "b", "c"], mode: "reactive" });
  store.flush();
  expect(turns().slice(1)).toEqual([1, 2, undefined]);
  store.take({ ...common, type: "run_progress", seq: 2, done: 2, total: 3, cellId: "c" });
  store.flush();
  expect(turns()).toEqual([undefined, undefined, 1, undefined]);
  store.take({ ...common, type: "run_finished", seq: 3, status: "success", counts: { success: 3, error: 0, skipped: 0 }, seconds: 1 });
  store.flush();
  expect(turns()).toEqual([undefined, undefined, undefined, undefined]);
});
