/** The page's fold against the golden logs that the gateway's fold is held to as well. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { documentHash } from "../src/document_hash";
import { fold, load, type NotebookState } from "../src/fold";
import { withoutOutputs } from "../src/output_log";
import type { Event, Snapshot } from "../src/protocol";
import { cell, snapshot } from "./fakes";

/** The long tier gives logs of its own: what clients heard of random commands. */
const GIVEN = process.env["TAILRACE_LOGS"];
const GOLDEN = GIVEN ?? join(import.meta.dirname, "../../../protocol/golden");
const logs = readdirSync(GOLDEN).filter((name) => name.startsWith("fold-"));

/** The state as the gateway would send it: outputs that are about to be cleared are left out. */
async function asSnapshot(state: NotebookState): Promise<Snapshot> {
  const { epoch, seq, revision, notebook, graph, kernel, db, clients, run, readOnly, input } = state;
  return {
    type: "snapshot", epoch, seq, revision, hash: (await documentHash(state))!, notebook,
    cells: state.order.map((id) => (state.clearing.has(id) ? withoutOutputs(state.cells.get(id)!) : state.cells.get(id)!)),
    graph: { ...graph, edges: [...graph.edges].sort((a, b) => (a.from + a.to < b.from + b.to ? -1 : 1)) },
    kernel, db: [...db].sort((a, b) => (a.name < b.name ? -1 : 1)), clients: [...clients], ...(run && { run }), ...(readOnly !== undefined && { readOnly }),
    ...(input && { input }),
  };
}

describe("golden logs", () => {
  it("are there", () => expect(logs.length).toBeGreaterThanOrEqual(GIVEN === undefined ? 15 : 1));

  it.each(logs)("%s", async (name) => {
    const log = JSON.parse(readFileSync(join(GOLDEN, name), "utf8")) as { start: Snapshot; events: Event[]; expect: Snapshot };
    const inOneBatch = fold(load(log.start), log.events);
    const oneByOne = log.events.reduce((state, event) => fold(state, [event]), load(log.start));
    expect(await asSnapshot(inOneBatch)).toEqual(log.expect);
    expect(await asSnapshot(oneByOne)).toEqual(log.expect);
  });
});

const base = { ts: 0, notebookId: "n" };

it("changes nothing in the state it was given", () => {
  const before = load(snapshot([cell("a"), cell("b")]));
  const copy = structuredClone(before);
  const after = fold(before, [
    { ...base, type: "cell_stdout", seq: 1, cellId: "a", data: "hello", stream: "stdout" },
    { ...base, type: "cell_deleted", seq: 2, cellId: "b" },
  ]);
  expect(before).toEqual(copy);
  expect(after.cells.get("a")?.stdout).toBe("hello");
  expect(after.order).toEqual(["a"]);
});

it("keeps the identity of cells that no event touched", () => {
  const before = load(snapshot([cell("a"), cell("b")]));
  const after = fold(before, [{ ...base, type: "cell_status", seq: 1, cellId: "a", status: "running" }]);
  expect(after.cells.get("b")).toBe(before.cells.get("b"));
  expect(after.cells.get("a")).not.toBe(before.cells.get("a"));
});

it("counts an event of a type it does not know", () => {
  const strange = { ...base, type: "cell_danced", seq: 7 } as unknown as Event;
  expect(fold(load(snapshot([cell("a")])), [strange]).seq).toBe(7);
});
