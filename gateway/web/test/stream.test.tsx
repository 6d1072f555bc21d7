/** What a cell printed: long lines and many lines are shown a part at a time, and folded again. */

import { render } from "preact";
import { act } from "preact/test-utils";
import { expect, it } from "vitest";

import { Stream } from "../src/outputs/stream";

function drawn(text: string): { text: () => string; press: (name: RegExp) => void; buttons: () => string[] } {
  const place = document.createElement("div");
  void act(() => render(<Stream output={{ kind: "stream", index: 0, stream: "stdout", text }} name="cell-1" />, place));
  const all = () => [...place.querySelectorAll("button")];
  return {
    text: () => place.querySelector("pre")!.textContent,
    buttons: () => all().map((one) => one.textContent),
    press: (name) => void act(() => all().find((one) => name.test(one.textContent))!.click()),
  };
}

it("cuts a long line until somebody asks for all of it, and again after that", () => {
  const stream = drawn(`${"z".repeat(3_000_000)}\nend\n`);
  expect(stream.text().length).toBeLessThan(10_100);
  expect(stream.text()).toMatch(/z … 2,990,000 more characters\nend/);
  stream.press(/^Show all 3,000,000 characters$/);
  expect(stream.text().length).toBeGreaterThan(3_000_000);
  stream.press(/^Show less$/);
  expect(stream.text().length).toBeLessThan(10_100);
});

it("shows earlier lines in steps, with a way back", () => {
  const stream = drawn(Array.from({ length: 50_000 }, (_, at) => `line ${at}\n`).join(""));
  const lines = () => stream.text().trimEnd().split("\n").length;
  expect(lines()).toBe(200);
  stream.press(/^Show 1,800 of 49,\d{3} earlier lines$/);
  expect(lines()).toBeLessThanOrEqual(2_000);
  expect(lines()).toBeGreaterThan(1_990);
  stream.press(/^Show less$/);
  expect(lines()).toBe(200);
  expect(drawn("short\n").buttons()).toEqual([]);
});
