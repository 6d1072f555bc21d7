/** A name leads to the cell that writes it, and only a name does. */

import { python } from "@codemirror/lang-python";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { EditorState } from "@codemirror/state";
import { expect, it } from "vitest";

import { writerOf } from "../src/definition";
import { nameAt } from "../src/name_at";

const WRITES: Readonly<Record<string, readonly string[]>> = { a: ["x"], b: ["x", "y"], c: [], d: ["x", "z"], e: ["z"] };
const ORDER = Object.keys(WRITES);

it.each<[string, string, string | undefined, string]>([
  ["x", "c", "b", "the nearest above, not the first"],
  ["x", "b", "a", "above, also where the cell itself writes it"],
  ["z", "c", "d", "the nearest below when nobody above writes it"],
  ["y", "b", "b", "itself when it is the only one"],
  ["none", "c", undefined, "nobody"],
])("%s in %s is from %s: %s", (name, cellId, expected) => {
  expect(writerOf(name, cellId, ORDER, (id) => WRITES[id] ?? [])).toBe(expected);
});

/** The bar is the cursor. */
function at(marked: string, type: "python" | "sql"): string | undefined {
  const doc = marked.replace("|", "");
  const language = type === "python" ? python() : sql({ dialect: PostgreSQL });
  return nameAt(EditorState.create({ doc, extensions: [language] }), marked.indexOf("|"), type);
}

it.each([
  ["to|tal + 1", "total"],
  ["|total + 1", "total"],
  ["total| + 1", "total"],
  ["f'{to|tal}'", "total"],
  ["größ|e + 1", "größe"],
  ["'to|tal'", undefined],
  ["# to|tal", undefined],
  ["frame.to|tal", undefined],
  ["ret|urn total", undefined],
  ["f(to|tal=1)", "total"],
])("Python %s", (text, name) => expect(at(text, "python")).toBe(name));

it.each([
  ["select * from fra|me", "frame"],
  ["select * from t where a = :lim|it", "limit"],
  ["select * from t where a = {lim|it}", "limit"],
  ["sel|ect 1", undefined],
  ["select a from t lim|it 5", undefined],
  ["select 'fra|me'", undefined],
  ["-- fra|me", undefined],
])("SQL %s", (text, name) => expect(at(text, "sql")).toBe(name));
