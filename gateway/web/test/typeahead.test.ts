/** Keys typed before their editor is there: none is lost, none goes to another cell, all keep their order. */

import { beforeEach, describe, expect, it } from "vitest";

import { Typeahead } from "../src/typeahead";
import { FakeClock } from "./fakes";

let clock: FakeClock;
let elsewhere: string[];
let typeahead: Typeahead;
let taken: string[];
const take = (event: KeyboardEvent) => taken.push(event.key);

beforeEach(() => {
  clock = new FakeClock();
  elsewhere = [];
  taken = [];
  typeahead = new Typeahead(clock, (event) => elsewhere.push(event.key));
});

function press(key: string, options: KeyboardEventInit = {}): boolean {
  return !document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options }));
}

describe("typing ahead", () => {
  it("holds keys from everybody until the editor takes them, in order", () => {
    typeahead.hold();
    expect(["a", "Enter", "("].map((key) => press(key))).toEqual([true, true, true]);
    typeahead.release(take);
    expect(taken).toEqual(["a", "Enter", "("]);
    expect(press("b")).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it("leaves the browser its own keys", () => {
    typeahead.hold();
    expect(press("r", { ctrlKey: true })).toBe(false);
    expect(press("F5")).toBe(false);
    typeahead.release(take);
    expect(taken).toEqual([]);
  });

  it("holds the rest again when one of the keys asks for another cell", () => {
    typeahead.hold();
    for (const key of ["a", "Enter", "b"]) press(key);
    typeahead.release((event) => (event.key === "Enter" ? typeahead.hold() : take(event)));
    expect(taken).toEqual(["a"]);
    press("c");
    typeahead.release(take);
    expect(taken).toEqual(["a", "b", "c"]);
  });

  it("gives the keys back when no editor comes, and holds none after a click elsewhere", () => {
    typeahead.hold();
    press("a");
    document.body.dispatchEvent(new MouseEvent("pointerdown", { bubbles: true }));
    expect(press("b")).toBe(false);
    clock.pass(5_000);
    expect(elsewhere).toEqual(["a"]);
  });
});
