/** Keys by name, chords by time, and that no two actions share a key. */

import { describe, expect, it } from "vitest";

import { ACTIONS } from "../src/actions";
import { Chords, keyName, type Pressed } from "../src/chords";
import { matching } from "../src/palette";

const pressed = (key: string, change: Partial<Pressed> = {}): Pressed => ({ key, ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...change });

it.each([
  [pressed("a"), "A"],
  [pressed("A"), "A"], // caps lock
  [pressed("M", { shiftKey: true }), "Shift-M"],
  [pressed("?", { shiftKey: true }), "?"],
  [pressed("s", { metaKey: true }), "Ctrl-S"],
  [pressed("ArrowUp", { ctrlKey: true, shiftKey: true }), "Ctrl-Shift-ArrowUp"],
  [pressed("Enter", { altKey: true }), "Alt-Enter"],
  [pressed("Shift", { shiftKey: true }), undefined],
])("names %o", (event, name) => expect(keyName(event)).toBe(name));

describe("a chord", () => {
  const chords = () => new Chords([["D D", "delete"], ["J or ArrowDown", "next"], ["0 0", "restart"]]);

  it("needs both keys, soon", () => {
    const one = chords();
    expect(one.press("D", 0)).toBe("wait");
    expect(one.press("D", 100)).toEqual({ action: "delete" });
    expect(one.press("D", 200)).toBe("wait");
    expect(one.press("D", 2_000)).toBe("wait");
    expect(one.press("J", 2_100)).toEqual({ action: "next" });
    expect(one.press("D", 2_200)).toBe("wait");
    expect(one.press("0", 2_300)).toBe("wait");
    expect(one.press("0", 2_400)).toEqual({ action: "restart" });
  });

  it("leaves other keys alone", () => {
    expect(chords().press("ArrowDown", 0)).toEqual({ action: "next" });
    expect(chords().press("Q", 0)).toBeUndefined();
  });
});

it("gives each key to one action", () => {
  const keys = ACTIONS.flatMap((action) => action.keys?.split(" or ") ?? []);
  expect(new Set(keys).size).toBe(keys.length);
  expect(keys).toContain("D D");
});

it("finds commands by any of their words", () => {
  expect(matching("below insert").map((action) => action.id)).toEqual(["run-insert", "insert-below"]);
  expect(matching("").length).toBeGreaterThan(20);
  expect(matching("no such thing")).toEqual([]);
});
