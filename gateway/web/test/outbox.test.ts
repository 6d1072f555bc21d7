/** A command stays until it is answered, keeps its id, and tells when it is refused or late. */

import { beforeEach, expect, it } from "vitest";

import { Outbox } from "../src/outbox";
import type { Command } from "../src/protocol";
import { FakeClock, FakeKeeper } from "./fakes";

let clock: FakeClock;
let keeper: FakeKeeper;
let sent: Command[];
let answers: string[];
let outbox: Outbox;
let ids: number;

function make(): Outbox {
  return new Outbox(
    clock, keeper, "slot",
    (frame) => (sent.push(frame), true),
    (frame, answer) => answers.push(`${frame.type} ${answer.type}`),
    () => `id${++ids}`,
  );
}

beforeEach(() => {
  clock = new FakeClock();
  keeper = new FakeKeeper();
  sent = [];
  answers = [];
  ids = 0;
  outbox = make();
});

const ack = (id: string) => ({ type: "ack" as const, id, revision: 1, seq: 1 });
const refusal = (id: string, code = "unknown_cell") => ({ type: "error" as const, id, code, message: "There is no such cell." });
const update = (cellId: string, code: string) => ({ type: "cell_update" as const, cellId, code });

it("keeps what it cannot send and sends it in order when it can", () => {
  outbox.add(update("a", "1"));
  outbox.add({ type: "run_all" });
  expect(sent).toEqual([]);
  outbox.online();
  expect(sent.map((frame) => frame.type)).toEqual(["cell_update", "run_all"]);
});

it("sends what was not answered again, with the same id", () => {
  outbox.online();
  const first = outbox.add(update("a", "1"));
  const second = outbox.add({ type: "run_cell", cellId: "a" });
  outbox.ack(ack(first));
  outbox.offline();
  sent = [];
  outbox.online();
  expect(sent.map((frame) => frame.id)).toEqual([second]);
  outbox.ack(ack(second));
  expect(outbox.waiting.value).toBe(0);
  expect(answers).toEqual(["cell_update ack", "run_cell ack"]);
});

it("survives a reload of the page, but for secrets", () => {
  outbox.add(update("a", "1"));
  outbox.add({ type: "update_db_connection", connectionString: "postgresql://u:hunter2@h/d" });
  expect([...keeper.kept.values()].join()).toContain("cell_update");
  expect([...keeper.kept.values()].join()).not.toContain("hunter2");
  outbox = make();
  outbox.online();
  expect(sent).toEqual([{ type: "cell_update", cellId: "a", code: "1", id: "id1" }]);
  expect(outbox.codeFor("a")).toBe("1");
});

it("says on the cell that an answer is missing after 5 s, and retries with the same id", () => {
  outbox.online();
  const id = outbox.add(update("a", "1"));
  clock.pass(4_999);
  expect(outbox.problems.value.size).toBe(0);
  clock.pass(1);
  expect(outbox.problems.value.get("a")).toMatchObject({ code: "no_answer", id });
  outbox.retry(id);
  expect(sent.map((frame) => frame.id)).toEqual([id, id]);
  expect(outbox.problems.value.size).toBe(0);
  outbox.ack(ack(id));
  clock.pass(60_000);
  expect(outbox.problems.value.size).toBe(0);
});

it("forgets a late note when the answer comes", () => {
  outbox.online();
  const id = outbox.add(update("a", "1"));
  clock.pass(5_000);
  expect(outbox.problems.value.size).toBe(1);
  outbox.ack(ack(id));
  expect(outbox.problems.value.size).toBe(0);
});

it("does not call an answer late while offline", () => {
  outbox.online();
  outbox.add(update("a", "1"));
  outbox.offline();
  clock.pass(60_000);
  expect(outbox.problems.value.size).toBe(0);
  expect(outbox.waiting.value).toBe(1);
});

it("shows a refusal with its code and retries it as a new command", () => {
  outbox.online();
  const id = outbox.add({ type: "delete_cell", cellId: "a" });
  outbox.refuse(refusal(id));
  expect(outbox.problems.value.get("a")).toMatchObject({ code: "unknown_cell", message: "There is no such cell." });
  outbox.retry(id);
  expect(sent.at(-1)).toMatchObject({ type: "delete_cell", cellId: "a" });
  expect(sent.at(-1)!.id).not.toBe(id);
  expect(outbox.problems.value.size).toBe(0);
});

it("puts a database's refusal at its field and a notebook's above the cells", () => {
  outbox.online();
  outbox.refuse(refusal(outbox.add({ type: "update_db_connection", connectionString: "x" }), "db_bad_url"));
  outbox.refuse(refusal(outbox.add({ type: "run_all" }), "kernel_dead"));
  expect(outbox.problems.value.get("db")?.code).toBe("db_bad_url");
  expect(outbox.problems.value.get("")?.code).toBe("kernel_dead");
});

it("shows a failure that came after the answer, and runs again on retry", () => {
  outbox.online();
  const id = outbox.add({ type: "run_cell", cellId: "a", code: "x" });
  outbox.ack(ack(id));
  const failed = { seq: 2, ts: 0, notebookId: "n", client: "me", code: "kernel_dead", message: "The kernel died." };
  outbox.failedLater({ ...failed, type: "command:failed", command: "run_cell", id, cellId: "a" });
  expect(outbox.problems.value.get("a")?.code).toBe("kernel_dead");
  outbox.retry(id);
  expect(sent.at(-1)).toMatchObject({ type: "run_cell", cellId: "a" });
  expect(sent.at(-1)!.id).not.toBe(id);
});

it("keeps quiet about a refused run that only the timer asked for", () => {
  outbox.online();
  outbox.refuse(refusal(outbox.add({ type: "run_cell", cellId: "a", codeHash: "x" }, true), "stale_code"));
  expect(outbox.problems.value.size).toBe(0);
});

it("collapses unsent updates of one cell into the newest", () => {
  outbox.add(update("a", "1"));
  outbox.add(update("b", "1"));
  outbox.add(update("a", "2"));
  outbox.online();
  expect(sent).toMatchObject([{ cellId: "a", code: "2" }, { cellId: "b", code: "1" }]);
});

it("does not move an update over another command of its cell, nor change one that left", () => {
  outbox.add(update("a", "1"));
  outbox.add({ type: "run_cell", cellId: "a" });
  outbox.add(update("a", "2"));
  outbox.online();
  outbox.add(update("a", "3"));
  expect(sent.map((frame) => ("code" in frame ? frame.code : frame.type))).toEqual(["1", "run_cell", "2", "3"]);
});

it("keeps a window of unanswered frames", () => {
  outbox.online();
  for (let count = 0; count < 250; count++) outbox.add({ type: "delete_cell", cellId: `c${count}` });
  expect(sent.length).toBe(200);
  outbox.ack(ack(sent[0]!.id));
  expect(sent.length).toBe(201);
});
