/** After a lost connection: silence when nothing differs, and the differences when something does. */

import { describe, expect, it } from "vitest";

import { Absence, missed } from "../src/absence";
import { load } from "../src/fold";
import type { Cell, Output } from "../src/protocol";
import { cell, snapshot } from "./fakes";

const none = () => false;
const printed: Output = { kind: "stream", index: 0, stream: "stdout", text: "1\n" };
const state = (cells: Cell[]) => load(snapshot(cells));

describe("what was missed", () => {
  it("is nothing when only statuses moved", () => {
    expect(missed(state([cell("a"), cell("b")]), state([cell("a", { status: "stale" }), cell("b")]), none)).toBeUndefined();
  });

  it("names changed, new, gone and run cells", () => {
    const before = state([cell("a", { code: "1" }), cell("b"), cell("c")]);
    const after = state([cell("a", { code: "2" }), cell("c", { outputs: [printed], status: "success" }), cell("d")]);
    expect(missed(before, after, none)).toEqual({ changed: ["a", "d"], gone: 1, ran: ["c"] });
  });

  it("does not call a cell run whose outputs came back from the file while the kernel was new", () => {
    const reason = { code: "kernel_restarted", message: "" } as const;
    const after = state([cell("a", { outputs: [printed], status: "stale", reason })]);
    expect(missed(state([cell("a")]), after, none)).toBeUndefined();
  });

  it("leaves out what this page wrote itself", () => {
    const before = state([cell("a", { code: "1" })]);
    const after = state([cell("a", { code: "2" })]);
    expect(missed(before, after, (id) => id === "a")).toBeUndefined();
    expect(missed(before, after, none)?.changed).toEqual(["a"]);
  });
});

describe("an absence", () => {
  it("lasts from the first loss to the next live connection", () => {
    const absence = new Absence();
    const [first, later] = [state([cell("a")]), state([cell("b")])];
    absence.began(first);
    absence.began(later);
    expect(absence.ended()).toBe(first);
    expect(absence.ended()).toBeUndefined();
  });

  it("is not a socket that the page threw away itself, unless the gateway then is gone", () => {
    const absence = new Absence();
    const seen = state([cell("a")]);
    absence.resync();
    absence.began(seen);
    expect(absence.ended()).toBeUndefined();
    absence.resync();
    absence.began(seen);
    absence.began(seen);
    expect(absence.ended()).toBe(seen);
  });
});
