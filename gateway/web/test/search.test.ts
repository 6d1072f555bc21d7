/** What a query finds in the texts of cells, and what replacing makes of them. */

import { describe, expect, it } from "vitest";

import { type Match, matchesIn, nextMatch, patternOf, type Query, replaced } from "../src/search";

const TEXTS: [string, string][] = [["a", "x = 1\nX + x.x"], ["b", ""], ["c", "max(x)  # größe x²"]];

function query(text: string, change: Partial<Query> = {}): Query {
  return { text, matchCase: false, wholeWord: false, regex: false, ...change };
}

function places(asked: Query): string[] {
  return matchesIn(TEXTS, patternOf(asked)).map(({ cellId, from, to }) => `${cellId}${from}-${to}`);
}

it.each<[string, Query, string[]]>([
  ["text, in any case", query("x"), ["a0-1", "a6-7", "a10-11", "a12-13", "c2-3", "c4-5", "c16-17"]],
  ["text, in this case", query("X", { matchCase: true }), ["a6-7"]],
  ["whole words", query("x", { matchCase: true, wholeWord: true }), ["a0-1", "a10-11", "a12-13", "c4-5"]],
  ["whole words of other letters", query("größ", { wholeWord: true }), []],
  ["characters that a regular expression would read", query("x.x"), ["a10-13"]],
  ["a regular expression", query("^x\\s=", { regex: true }), ["a0-3"]],
  ["lines by ^ and $", query("^X.*$", { regex: true, matchCase: true }), ["a6-13"]],
  ["nothing that is empty", query("q*", { regex: true }), []],
  ["nothing for nothing", query(""), []],
])("finds %s", (_, asked, found) => expect(places(asked)).toEqual(found));

it("says that a regular expression is none", () => {
  expect(() => patternOf(query("(", { regex: true }))).toThrow(SyntaxError);
  expect(places(query("("))).toEqual(["c3-4"]);
});

describe("replacing", () => {
  const make = (asked: Query, replacement: string, pick = (_: Match) => true) => {
    const pattern = patternOf(asked)!;
    const matches = matchesIn([TEXTS[0]!], pattern).filter(pick);
    return replaced(TEXTS[0]![1], pattern, matches, replacement, asked.regex);
  };

  it("takes the text as it is", () => expect(make(query("x"), "$1$&\\n")).toBe("$1$&\\n = 1\n$1$&\\n + $1$&\\n.$1$&\\n"));
  it("puts groups in, by number and by name", () => {
    expect(make(query("(x)\\.(x)", { regex: true }), "$2.$1$$$3")).toBe("x = 1\nX + x.x$$3");
    expect(make(query("(?<left>\\w) = (\\d)", { regex: true }), "$<left>: int = $2")).toBe("x: int = 1\nX + x.x");
  });
  it("changes only the matches that were chosen", () => expect(make(query("x"), "y", ({ from }) => from === 10)).toBe("x = 1\nX + y.x"));
});

it("goes on from a place, round at both ends", () => {
  const matches = matchesIn(TEXTS, patternOf(query("x", { matchCase: true, wholeWord: true })));
  const order = ["a", "b", "c"];
  const at = (cellId: string, from: number) => ({ cellId, from, to: from });
  expect(nextMatch(matches, order, undefined, 1)).toBe(0);
  expect(nextMatch(matches, order, at("a", 0), 1)).toBe(1);
  expect(nextMatch(matches, order, at("b", 0), 1)).toBe(3);
  expect(nextMatch(matches, order, at("c", 4), 1)).toBe(0);
  expect(nextMatch(matches, order, at("a", 0), -1)).toBe(3);
  expect(nextMatch(matches, order, undefined, -1)).toBe(3);
  expect(nextMatch([], order, undefined, 1)).toBe(-1);
});
