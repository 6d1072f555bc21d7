/** The registry's choice, and that no output becomes script in the page. */

import { describe, expect, it } from "vitest";

import { clean } from "../src/outputs/html";
import { choose, isRemote } from "../src/outputs/registry";
import "../src/outputs/renderers";
import { drawLatex } from "../src/outputs/latex";
import { drawMarkdown } from "../src/outputs/markdown";
import { grouped, ownLine } from "../src/outputs/traceback";
import { sizeInWords, tableOf } from "../src/outputs/table_source";
import { fillText, paletteColour } from "../src/outputs/text";

describe("the richest type wins", () => {
  it.each([
    [["text/plain", "text/html"], "html"],
    [["text/plain", "image/png"], "image"],
    [["text/plain", "image/svg+xml", "image/png"], "svg"],
    [["text/plain", "text/html", "application/vnd.vegalite.v6.json"], "vega"],
    [["application/vnd.vegalite.v5+json"], "vega"],
    [["application/vnd.vega.v5+json"], "vega"],
    [["text/markdown", "text/plain"], "markdown"],
    [["application/json", "text/plain"], "json"],
    [["text/plain", "image/png", "text/latex"], "latex"],
    [["text/plain"], "text"],
  ])("%j", (types, name) => {
    expect(choose(Object.fromEntries(types.map((type) => [type, ""])))?.renderer.name).toBe(name);
  });

  it("or nothing, when nothing is known", () => expect(choose({ "application/x-secret": "" })).toBeUndefined());
});

it("knows a value that is left to be fetched", () => {
  expect(isRemote({ $url: "/blob", bytes: 3 })).toBe(true);
  expect(isRemote("text")).toBe(false);
});

describe("HTML of an output", () => {
  const html = (source: string) => {
    const box = document.createElement("div");
    box.append(clean(source));
    return box;
  };

  it.each([
    "<img src=x onerror=alert(1)>",
    "<b onclick=alert(1)>x</b>",
    "<a href='javascript:alert(1)'>x</a>",
    "<script>alert(1)</script>",
    "<iframe src='/api'></iframe>",
    "<form action=/api><button>x</button></form>",
    "<svg><script>alert(1)</script></svg>",
    "<meta http-equiv=refresh content='0;url=//evil'>",
    "<base href=//evil><link rel=stylesheet href=//evil>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
  ])("is harmless: %s", (source) => {
    const box = html(`<p>kept</p>${source}`);
    expect(box.textContent).toContain("kept"); // the control: cleaning is not emptying
    expect(box.querySelector("script, iframe, form, button, meta, base, link")).toBeNull();
    const handlers = [...box.querySelectorAll("*")].flatMap((node) => [...node.attributes]).filter(({ name, value }) => name.startsWith("on") || /^javascript:/i.test(value));
    expect(handlers).toEqual([]);
  });

  it("keeps tables and styles", () => {
    const box = html("<style>.a { color: red }</style><table><tbody><tr><th scope=row>n</th><td class=a>1</td></tr></tbody></table>");
    expect(box.querySelector("td")?.textContent).toBe("1");
    expect(box.querySelector("th")?.getAttribute("scope")).toBe("row");
    expect(box.querySelector("style")).not.toBeNull();
  });

  it("opens links elsewhere", () => {
    const link = html("<a href='https://example.org'>x</a>").querySelector("a");
    expect([link?.target, link?.rel]).toEqual(["_blank", "noopener noreferrer"]);
  });
});

describe("text of a terminal", () => {
  it("becomes classes, and never HTML", () => {
    const block = document.createElement("pre");
    fillText(block, "\x1b[31mred\x1b[0m \x1b[1;44mon blue\x1b[0m <b>plain</b>");
    expect(block.textContent).toBe("red on blue <b>plain</b>");
    expect(block.querySelector(".ansi-red")?.textContent).toBe("red");
    expect(block.querySelector(".ansi-blue-bg.ansi-bold")?.textContent).toBe("on blue");
    expect(block.querySelector("b")).toBeNull();
  });

  it("colours of the palette and true colours are kept for the theme to fit", () => {
    const block = document.createElement("pre");
    fillText(block, "\x1b[38;5;208morange\x1b[0m\x1b[48;2;1;2;3mdark\x1b[0m\x1b[38;5;9mred\x1b[0m\x1b[7mturned\x1b[0m");
    const [orange, dark, red, turned] = [...block.children] as HTMLElement[];
    expect([orange!.className, orange!.style.getPropertyValue("--fg")]).toEqual(["ansi-colour", "rgb(255, 135, 0)"]);
    expect([dark!.className, dark!.style.getPropertyValue("--bg")]).toEqual(["ansi-colour-bg", "rgb(1, 2, 3)"]);
    expect([red!.className, turned!.className]).toEqual(["ansi-bright-red", "ansi-black ansi-white-bg"]);
    expect([16, 231, 232, 255].map(paletteColour)).toEqual(["rgb(0, 0, 0)", "rgb(255, 255, 255)", "rgb(8, 8, 8)", "rgb(238, 238, 238)"]);
  });
});

describe("a traceback", () => {
  const parts = [
    "----\n\x1b[31mValueError\x1b[39m  Traceback (most recent call last)",
    "Cell \x1b[32mab-1\x1b[39m, line 2\n----> 2 f(0)",
    "File ~/.venv/lib/python3.11/site-packages/a.py:3, in f\n----> 3 g()",
    "File pandas/_libs/index.pyx:4, in g\n----> 4 raise",
    "File ~/project/mine.py:7, in own\n----> 7 x",
    "Cell other, line 9, in h\n----> 9 x",
    "ValueError: no",
  ];

  it("names the line of its own cell", () => {
    expect(ownLine(parts, "ab-1")).toBe(2);
    expect(ownLine(parts, "other")).toBe(9);
    expect(ownLine(parts, "ab")).toBeUndefined();
  });

  it("folds frames of libraries", () => {
    expect(grouped(parts).map(({ library, count }) => [library, count])).toEqual([[false, 1], [false, 1], [true, 2], [false, 1], [false, 1], [false, 1]]);
    expect(grouped([parts.join("\n\n")])).toHaveLength(6);
  });

  it("knows the cell and the line of a frame", () => {
    expect(grouped(parts).map(({ cell }) => cell).filter(Boolean)).toEqual([
      { id: "ab-1", line: 2, rest: "" },
      { id: "other", line: 9, rest: ", in h" },
    ]);
  });

  it("leaves out rules, which say nothing", () => expect(grouped(["\x1b[31m-----\x1b[39m", "E: x"])).toHaveLength(1));
});

describe("formulas", () => {
  const context = { mime: "", metadata: {}, plain: "", dark: false };

  it("become MathML, and stay harmless", () => {
    const place = document.createElement("div");
    drawLatex(place, "$\\displaystyle x_1^2 + \\href{javascript:alert(1)}{y}$", context);
    expect(place.querySelector("math")).not.toBeNull();
    expect(place.querySelector("a")).toBeNull();
  });

  it("are left alone by Markdown, which leaves prices alone", async () => {
    const place = document.createElement("div");
    drawMarkdown(place, "*so* $a_1 + b_2$ costs $5 and $6\n\n$$\\sum_i x_i$$\n", context);
    await expect.poll(() => place.querySelectorAll("math").length).toBe(2);
    expect(place.querySelector("em")?.textContent).toBe("so");
    expect(place.textContent).toContain("costs $5 and $6");
  });
});

describe("tables that can be asked for their rows", () => {
  const output = (data: Record<string, unknown>) => ({ kind: "result" as const, index: 0, data, metadata: {} });
  const html = "<table></table>";

  it("a DataFrame has a token and a size", () => {
    const data = { "text/html": html, "application/vnd.tailrace.table+json": { token: "t1", rows: 1, columns: 2 } };
    expect(tableOf("python", output(data))).toEqual({ key: "t1", token: "t1", size: "1 row × 2 columns" });
  });

  it("the table of a SQL cell is known by its cell", () => {
    expect(tableOf("sql", output({ "text/html": html, "text/plain": "1 row" }))).toEqual({ key: "1 row" });
    expect(tableOf("sql", output({ "text/plain": "INSERT: 1 row" }))).toBeUndefined();
  });

  it("HTML of anything else is HTML", () => expect(tableOf("python", output({ "text/html": html }))).toBeUndefined());

  it("numbers are grouped", () => expect(sizeInWords(1200, 1)).toBe(`${(1200).toLocaleString()} rows × 1 column`));
});
