/** When a cell's text is saved, when the timer may run it, and whose text wins. */

import { beforeEach, expect, it } from "vitest";

import { Draft, PAUSE } from "../src/draft";
import type { Cell } from "../src/protocol";
import { cell, FakeClock } from "./fakes";

let clock: FakeClock;
let saved: string[];
let ran: string[];
let now: Cell;
let mayRun: boolean;
let draft: Draft;

beforeEach(() => {
  clock = new FakeClock();
  saved = [];
  ran = [];
  mayRun = true;
  start(cell("a", { code: "x = 1", status: "success" }));
});

function start(first: Cell): void {
  now = first;
  draft = new Draft(
    {
      now: () => clock.now(),
      after: (ms, run) => clock.after(ms, run),
      save: (text) => saved.push(text),
      runIfStill: (text) => ran.push(text),
      mayRun: () => mayRun,
      cell: () => now,
    },
    first.code,
  );
}

function gatewaySays(change: Partial<Cell>, settled = true): string | undefined {
  now = { ...now, ...change };
  return draft.received(now, settled);
}

it("saves after the pause, waits for the analysis of this text, then runs", () => {
  draft.input("x = 2");
  clock.pass(PAUSE - 1);
  expect(saved).toEqual([]);
  clock.pass(1);
  expect([saved, ran]).toEqual([["x = 2"], []]);
  gatewaySays({ code: "x = 2", analysed: false, status: "stale" });
  expect(ran).toEqual([]);
  gatewaySays({ analysed: true });
  expect(ran).toEqual(["x = 2"]);
});

it("starts the pause again with every key", () => {
  draft.input("x = 2");
  clock.pass(1_000);
  draft.input("x = 23");
  clock.pass(1_000);
  expect(saved).toEqual([]);
  clock.pass(500);
  expect(saved).toEqual(["x = 23"]);
});

it("only saves on blur, and runs nothing later", () => {
  draft.input("x = 2");
  clock.pass(1_000);
  draft.blur();
  expect(saved).toEqual(["x = 2"]);
  gatewaySays({ code: "x = 2", analysed: true, status: "stale" });
  clock.pass(60_000);
  expect([saved, ran]).toEqual([["x = 2"], []]);
});

it("saves nothing that was not changed", () => {
  draft.blur();
  draft.input("x = 2");
  draft.input("x = 1");
  draft.blur();
  expect(saved).toEqual([]);
});

it("does not run what does not parse", () => {
  draft.input("x = ");
  clock.pass(PAUSE);
  gatewaySays({ code: "x = ", analysed: true, diagnostics: [{ kind: "syntax", message: "invalid" }] });
  expect(ran).toEqual([]);
  expect(draft.held.value).toBe("incomplete");
  draft.input("x = 3");
  expect(draft.held.value).toBeUndefined();
});

it("does not run what has effects outside", () => {
  draft.input("!rm -r x");
  clock.pass(PAUSE);
  gatewaySays({ code: "!rm -r x", analysed: true, outsideEffects: ["shell"] });
  expect(ran).toEqual([]);
  expect(draft.held.value).toBe("outside");
});

it("does not run while the analysis is of another text", () => {
  draft.input("x = 2");
  clock.pass(PAUSE);
  gatewaySays({ code: "somebody else's", analysed: true });
  expect(ran).toEqual([]);
});

it("forgets the run when a key follows before the analysis", () => {
  draft.input("x = 2");
  clock.pass(PAUSE);
  draft.input("x = 2\nde");
  gatewaySays({ code: "x = 2", analysed: true });
  expect(ran).toEqual([]);
});

it.each([
  ["manual", cell("a", { code: "x", mode: "manual" })],
  ["disabled", cell("a", { code: "x", mode: "disabled" })],
  ["markdown", cell("a", { code: "x", type: "markdown" })],
] as const)("has no timer for a cell that is %s, and still saves it", (_, first) => {
  start(first);
  draft.input("y");
  clock.pass(60_000);
  expect([saved, draft.phase.value]).toEqual([[], "resting"]);
  draft.blur();
  expect(saved).toEqual(["y"]);
});

it("has no timer while auto-run is off or the gateway is away", () => {
  mayRun = false;
  draft.input("x = 2");
  clock.pass(60_000);
  expect([saved, ran]).toEqual([[], []]);
});

it("leaves alone what was typed and taken back", () => {
  draft.input("x = 12");
  draft.input("x = 1");
  clock.pass(PAUSE);
  expect([saved, ran, draft.phase.value]).toEqual([[], [], "resting"]);
});

it("takes a newer text from elsewhere only while nobody edits here", () => {
  expect(gatewaySays({ code: "theirs" })).toBe("theirs");
  draft.input("mine");
  expect(gatewaySays({ code: "theirs again" })).toBeUndefined();
  expect(draft.text).toBe("mine");
});

it("does not fall back to an older text while its own is on its way", () => {
  draft.input("mine");
  draft.blur();
  expect(gatewaySays({ code: "older" }, false)).toBeUndefined();
  expect(gatewaySays({ code: "mine" }, true)).toBeUndefined();
  expect(draft.edited.value).toBe(false);
  expect(gatewaySays({ code: "newer" }, true)).toBe("newer");
});

it("counts a refused text as unsaved, so that the next blur saves it", () => {
  draft.input("mine");
  draft.blur();
  draft.unsaved();
  expect(draft.edited.value).toBe(true);
  draft.blur();
  expect(saved).toEqual(["mine", "mine"]);
});
