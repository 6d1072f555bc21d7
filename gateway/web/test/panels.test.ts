/** What the panels know without a DOM: the ring of frames, the walk over the graph, the outline. */

import { describe, expect, it } from "vitest";

import { layered, minimap } from "../src/panels/graph_layout";
import { ancestors, descendants } from "../src/panels/graph_paths";
import { filtered, MessageLog } from "../src/panels/message_log";
import { outline } from "../src/panels/outline_panel";
import { firstRows } from "../src/panels/schema_panel";
import { changedNames, matchingVariables, type Variable } from "../src/panels/variables_panel";
import { cell } from "./fakes";

describe("the log of frames", () => {
  it("measures from a command to its answer", () => {
    const log = new MessageLog();
    log.add("out", { type: "run_cell", id: "a", cellId: "c" }, 100);
    log.add("in", { type: "ack", id: "a", seq: 1 }, 140);
    log.add("in", { type: "cell_status", seq: 2, cause: { client: "me", id: "a" } }, 150);
    expect(log.entries.map(({ direction, type, cause, ms }) => [direction, type, cause, ms])).toEqual([
      ["out", "run_cell", "a", undefined],
      ["in", "ack", "a", 40],
      ["in", "cell_status", "a", undefined],
    ]);
    expect(log.figures(150)).toEqual({ p50: 40, p99: 40, rate: 0.6 });
    expect(log.figures(60_000).rate).toBe(0);
    expect(filtered(log.entries, "in ACK")).toHaveLength(1);
    expect(filtered(log.entries, "")).toHaveLength(3);
  });

  it("keeps a thousand", () => {
    const log = new MessageLog();
    for (let n = 0; n < 1_200; n++) log.add("out", { type: "ping", id: `${n}` }, n);
    expect(log.entries).toHaveLength(1_000);
    expect(log.entries[0]!.n).toBe(201);
  });

  it("shows no secret, and leaves what is none", () => {
    const log = new MessageLog();
    log.add("out", { type: "attach", id: "1", key: "hush", client: "c" }, 0);
    log.add("out", { type: "update_db_connection", id: "2", connectionString: "postgresql://u:hush@h/d" }, 0);
    log.add("out", { type: "stdin_reply", id: "3", cellId: "c", value: "hush" }, 0);
    log.add("out", { type: "cell_update", id: "4", cellId: "c", code: "key = 1" }, 0);
    expect(JSON.stringify(log.entries.map((entry) => entry.frame))).not.toContain("hush");
    expect(log.entries.map((entry) => entry.masked)).toEqual([true, true, true, false]);
    expect(log.entries[3]!.frame).toEqual({ type: "cell_update", id: "4", cellId: "c", code: "key = 1" });
  });
});

describe("the graph", () => {
  const edges = [["a", "b"], ["b", "c"], ["x", "c"], ["c", "b"]].map(([from, to]) => ({ from: from!, to: to!, names: [] }));

  it("is walked both ways, cycles included", () => {
    expect([...ancestors(edges, "c")].sort()).toEqual(["a", "b", "x"]);
    expect([...descendants(edges, "a")].sort()).toEqual(["b", "c"]);
    expect(ancestors(edges, "a").size).toBe(0);
  });

  it("has a place for each cell in both pictures", () => {
    for (const layout of [minimap, layered]) {
      const { nodes, lines, width, height } = layout(["a", "b", "c", "x"], edges, (id) => id);
      expect(nodes.map((node) => node.id)).toEqual(["a", "b", "c", "x"]);
      expect(new Set(nodes.map(({ x, y }) => `${x} ${y}`)).size).toBe(4);
      expect(lines).toHaveLength(4);
      expect(lines.every(({ path }) => path.startsWith("M") && !path.includes("NaN"))).toBe(true);
      expect(Math.min(width, height)).toBeGreaterThan(100);
    }
  });
});

it("outlines headings and what cells define", () => {
  const cells = [
    cell("a", { type: "markdown", code: "# Title\ntext\n## Part" }),
    cell("b", { code: "x = 1", writes: ["x"] }),
    cell("c", { code: "print(x)\n1" }),
  ];
  expect(outline(cells)).toEqual([
    { cellId: "a", level: 1, text: "Title" },
    { cellId: "a", level: 2, text: "Part" },
    { cellId: "b", level: 7, text: "x" },
    { cellId: "c", level: 7, text: "print(x)" },
  ]);
});

describe("variables", () => {
  const one = (name: string, preview: string, shape?: number[]): Variable => ({ name, type: "list", preview, ...(shape && { shape }) });

  it("flashes what is new or another, and nothing at the first look", () => {
    const before = [one("a", "1"), one("b", "2", [2]), one("c", "3")];
    expect(changedNames([], before)).toEqual(new Set());
    expect(changedNames(before, [one("a", "1"), one("b", "2", [3]), one("d", "4")])).toEqual(new Set(["b", "d"]));
  });

  it("finds by name and type", () => {
    const all = [one("prices", "1"), { name: "p", type: "int", preview: "1" }];
    expect(matchingVariables(all, "LIST pri").map(({ name }) => name)).toEqual(["prices"]);
    expect(matchingVariables(all, " ")).toHaveLength(2);
  });
});

describe("the query for a table", () => {
  it("quotes what needs quotes and names another connection", () => {
    expect(firstRows("default", ["main", "people"])).toBe("SELECT * FROM main.people LIMIT 100");
    expect(firstRows("pg", ["My schema", 'a"b'])).toBe('-- connection: pg\nSELECT * FROM "My schema"."a""b" LIMIT 100');
  });
});
