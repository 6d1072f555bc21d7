/** Texts of several cells as one command, and what becomes of them when it is refused. */

import { beforeEach, expect, it } from "vitest";

import { Drafts } from "../src/drafts";
import { fold, load, type NotebookState } from "../src/fold";
import { Outbox } from "../src/outbox";
import type { Cell, Command } from "../src/protocol";
import { counted, edited } from "../src/rename";
import { cell, FakeClock, FakeKeeper, snapshot } from "./fakes";

let state: NotebookState;
let sent: Command[];
let shown: [string, string][];
let drafts: Drafts;
let outbox: Outbox;

beforeEach(() => {
  state = load(snapshot([cell("a", { code: "x = 1" }), cell("b", { code: "x" })]));
  sent = [];
  shown = [];
  let number = 0;
  const clock = new FakeClock();
  const push = (frame: Command) => (sent.push(structuredClone(frame)), true);
  outbox = new Outbox(clock, new FakeKeeper(), "slot", push, (frame, answer) => drafts.answered(frame, answer), () => `c${++number}`);
  drafts = new Drafts(
    {
      now: () => clock.now(), after: (ms, run) => clock.after(ms, run),
      cell: (id) => state.cells.get(id), mayRun: () => false,
      edit: (command) => void outbox.add(command), show: (id, text) => shown.push([id, text]),
    },
    outbox,
  );
  outbox.online();
});

const both = new Map([["a", "price = 1"], ["b", "price"]]);

function updated(cellId: string, change: Partial<Cell>): void {
  const { id: _, outputs: _o, stdout: _s, ...rest } = { ...state.cells.get(cellId)!, ...change };
  const before = state;
  state = fold(state, [{ type: "cell_updated", seq: state.seq + 1, ts: 0, notebookId: "n", cellId, cell: rest }]);
  drafts.folded(before, state);
}

it("sends several texts as one command, after what was typed before", () => {
  drafts.of("b")!.input("x + x");
  drafts.rewrite(new Map([["a", "price = 1"], ["b", "price + price"]]));
  expect(sent.map(({ type }) => type)).toEqual(["cell_update", "update_cells"]);
  expect(sent[1]).toMatchObject({
    cells: [{ cellId: "a", code: "price = 1", baseVersion: 1 }, { cellId: "b", code: "price + price", baseVersion: 1 }],
  });
  expect(shown).toEqual([["a", "price = 1"], ["b", "price + price"]]);
  expect(drafts.of("b")!.dirty).toBe(false);
});

it("keeps showing the new texts while older ones still come in", () => {
  drafts.rewrite(both);
  updated("b", { reads: ["x"] });
  expect(drafts.of("b")!.text).toBe("price");
  outbox.ack({ type: "ack", id: sent[0]!.id, revision: 1, seq: 3 });
  updated("a", { code: "price = 1", version: 2 });
  updated("b", { code: "price", version: 2 });
  updated("b", { code: "x", version: 3 }); // somebody took it back
  expect(drafts.of("b")!.text).toBe("x");
  expect(shown.at(-1)).toEqual(["b", "x"]);
});

it("shows the former texts again when the whole was refused, but for what was typed since", () => {
  drafts.rewrite(both);
  drafts.of("b")!.input("price + 1");
  outbox.refuse({ type: "error", id: sent[0]!.id, code: "stale_code", message: "" });
  expect(drafts.of("a")!.text).toBe("x = 1");
  expect(shown.at(-1)).toEqual(["a", "x = 1"]);
  expect(drafts.of("b")!.text).toBe("price + 1");
  expect(outbox.problems.value.get("")?.code).toBe("stale_code");
});

it("never puts a newer text in front of the rewriting that it follows", () => {
  outbox.offline();
  drafts.of("a")!.input("x = 2");
  drafts.rewrite(both);
  drafts.of("a")!.input("price = 3");
  drafts.saveAll();
  outbox.online();
  expect(sent.map((frame) => ("code" in frame ? frame.code : "several"))).toEqual(["x = 2", "several", "price = 3"]);
  expect(outbox.codeFor("a")).toBe("price = 3");
});

it("counts the edits of the kernel in code points", () => {
  expect(edited("'🎈'; x; x", [{ start: 5, end: 6, text: "price" }, { start: 8, end: 9, text: "price" }])).toBe("'🎈'; price; price");
  expect(edited("import x", [{ start: 8, end: 8, text: " as price" }])).toBe("import x as price");
  expect(counted(1, 1)).toBe("1 place in 1 cell");
});
