/** A text that moves the cursor, as a terminal shows it: whole, or fed piece by piece. */

import { describe, expect, it } from "vitest";

import type { Output } from "../src/protocol";
import { isOverwritten } from "../src/outputs/stream";
import { screenOf, Terminal } from "../src/outputs/terminal";

const UP = "\x1b[A";

describe("control sequences", () => {
  it.each([
    ["a carriage return writes over the line", "10%\r50%\r100%\ndone", "100%\ndone"],
    ["what was longer stays", "abc\rX", "Xbc"],
    ["a line end of Windows is one", "a\r\nb\r\n", "a\nb\n"],
    ["backspace goes back", "abc\b\bX", "aXc"],
    ["the rest of a line is erased", "abcdef\r\x1b[Kxy", "xy"],
    ["a whole line is erased", "abc\x1b[2K\rx", "x"],
    ["the cursor goes up to another line", `one\ntwo${UP}\rONE`, "ONE\ntwo"],
    ["a column is gone to", "abc\x1b[2GX", "aXc"],
    ["everything is cleared", "old\nolder\x1b[2J\x1b[Hnew", "new"],
    ["all below is cleared", `a\nb\nc${UP}${UP}\r\x1b[Jx`, "x"],
    ["the cursor is hidden and shown", "\x1b[?25lab\x1b[?25h", "ab"],
    ["titles and links of a terminal are no text", "\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b]0;t\x07!", "link!"],
    ["characters beyond 16 bits take one column", "\u{1f600}b\rX", "Xb"],
    ["up has an end", `a${UP.repeat(5)}\rb`, "b"],
  ])("%s", (_, text, shown) => expect(screenOf(text)).toBe(shown));

  it("colours stay with the characters they were written with", () => {
    expect(screenOf("\x1b[31mabc\x1b[0m\rX")).toBe("X\x1b[31mbc\x1b[0m");
    expect(screenOf("abc\r\x1b[32mX\x1b[0m")).toBe("\x1b[32mX\x1b[0mbc");
    expect(screenOf("\x1b[1m\x1b[31mab\x1b[0;32mc\r")).toBe("\x1b[1m\x1b[31mab\x1b[0m\x1b[0;32mc\x1b[0m");
  });
});

/** What tqdm writes for an outer bar and an inner one at position 1. */
function nested(outer: number, inner: number): string[] {
  const writes = ["\r outer 0%", `\n\r inner 0%${UP}`];
  for (let o = 1; o <= outer; o++) {
    for (let i = 1; i <= inner; i++) writes.push(`\n\r inner ${i}${UP}`);
    writes.push(`\r outer ${o}`);
  }
  return writes;
}

describe("fed as it arrives", () => {
  it("nested bars are two lines", () => {
    const terminal = new Terminal();
    let text = "";
    for (const write of nested(3, 4)) terminal.show((text += write));
    expect(terminal.tail(200).split("\n").map((line) => line.trim())).toEqual(["outer 3%", "inner 4%"]);
    expect(terminal.height).toBe(2);
    expect(terminal.overwrote).toBe(true);
  });

  it("is the same in any pieces", () => {
    const text = `a\x1b[38;5;208mb\x1b[0m\r\nc\rd\x1b]0;title\x07${UP}!\x1b[2K\rend\n`;
    for (let cut = 0; cut <= text.length; cut++) {
      const terminal = new Terminal();
      terminal.show(text.slice(0, cut));
      terminal.show(text);
      expect(terminal.tail(9), `cut at ${cut}`).toBe(screenOf(text).replace(/\n$/, ""));
    }
  });

  it("a text that is another starts anew", () => {
    const terminal = new Terminal();
    terminal.show("one\ntwo\n");
    terminal.show("three");
    expect([terminal.tail(9), terminal.height]).toEqual(["three", 1]);
  });

  it("shows the tail of a long stream and counts its lines", () => {
    const terminal = new Terminal();
    terminal.show(Array.from({ length: 1_000 }, (_, index) => `${index}`).join("\n") + "\n");
    expect([terminal.tail(2), terminal.height, terminal.overwrote]).toEqual(["998\n999", 1_000, false]);
  });
});

it("a bar cut in pieces by the other stream is there once", () => {
  const stream = (name: "stdout" | "stderr", text: string): Output => ({ kind: "stream", index: 0, stream: name, text });
  const outputs = [stream("stderr", "\r 1%"), stream("stdout", "x\n"), stream("stderr", "\r 2%"), stream("stdout", "y\n")];
  expect(outputs.map((_, index) => isOverwritten(outputs, index))).toEqual([true, false, false, false]);
  expect(isOverwritten([stream("stderr", "no\n"), stream("stderr", "\r")], 0)).toBe(false);
});
