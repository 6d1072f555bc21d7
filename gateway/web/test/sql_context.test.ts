/** What stands at a place of a SQL text. The bar is the cursor. */

import { expect, it } from "vitest";

import { contextAt } from "../src/sql_context";

function at(marked: string) {
  const position = marked.indexOf("|");
  const context = contextAt(marked.replace("|", ""), position);
  return { ...context, word: marked.slice(context.from, position), tables: Object.fromEntries([...context.tables].map(([name, path]) => [name, path.join(".")])) };
}

it.each<[string, string, string[], string]>([
  ["select | from t", "", [], "name"],
  ["select na| from t", "na", [], "name"],
  ["select t.na| from t", "na", ["t"], "name"],
  ["select t.| from t", "", ["t"], "name"],
  ['select "My T".na| from x', "na", ["My T"], "name"],
  ["select * from s.ta|", "ta", ["s"], "name"],
  ["select * from d.s.ta|", "ta", ["d", "s"], "name"],
  ["select * from t where a > :na|", "na", [], "python"],
  ["select * from t where a in ({', '.join(na|)})", "na", [], "python"],
  ["select a::in|", "in", [], "name"],
  ["select 'na|'", "", [], "none"],
  ["select 'na |", "", [], "none"],
  ["select 'na'|", "", [], "name"],
  ["-- na |\nselect 1", "", [], "none"],
  ["/* na| */ select 1", "", [], "none"],
])("%s", (text, word, path, kind) => {
  const found = at(text);
  expect([found.word, found.path, found.kind]).toEqual([word, path, kind]);
});

it.each<[string, Record<string, string>]>([
  ["select | from orders", { orders: "orders" }],
  ["select | from orders as o join shop.items i on i.id = o.id where 1", { o: "orders", i: "shop.items" }],
  ["select | from a x, b, c as z order by 1", { x: "a", b: "b", z: "c" }],
  ['select | from "My Table" left join t using (k)', { "My Table": "My Table", t: "t" }],
  ["select * from orders, fr| where 1", { orders: "orders" }],
  ["update t set | where 1", { t: "t" }],
  ["insert into s.t (|) select 1 from u", { t: "s.t", u: "u" }],
  ["select 1 from old; select | from now; select 1 from later", { now: "now" }],
  ["select | -- from no\nfrom yes where x = 'from no'", { yes: "yes" }],
])("finds the tables of %s", (text, tables) => expect(at(text).tables).toEqual(tables));

it("finds what WITH gives", () => expect(at("with a as (select 1), b as (select 2) select | from a").ctes).toEqual(["a", "b"]));
