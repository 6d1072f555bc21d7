/** Ids in sentences become links, and nothing else does. */

import { expect, it } from "vitest";

import { mentions, piecesOf } from "../src/cell_mentions";

const known = (id: string) => ["a4", "a5", "k-1"].includes(id);

it.each([
  ["cell a4, which writes it, failed", [{ cellId: "a4" }, ", which writes it, failed"]],
  ["cells a4, a5 need each other", [{ cellId: "a4" }, ", ", { cellId: "a5" }, " need each other"]],
  ["see cell k-1 and cell a5.", ["see ", { cellId: "k-1" }, " and ", { cellId: "a5" }, "."]],
  ["cell zz is unknown", ["cell zz is unknown"]],
  ["no cells here", ["no cells here"]],
])("%s", (text, pieces) => expect(piecesOf(text, known)).toEqual(pieces));

it("knows whom a sentence names", () => {
  expect(mentions("cells a4, a5 need each other", "a5")).toBe(true);
  expect(mentions("a5 is a variable", "a5")).toBe(false);
});
