/** The outputs of one cell as they arrive: merged and capped by the gateway's own rules (SPEC.md, "Fold rules"). Pure. */

import type { Cell, Output } from "./protocol";

export const MAX_CELL_OUTPUT = 8 * 2 ** 20; // bytes of one cell, as `sizeOf` counts them
export const MAX_NOTEBOOK_OUTPUT = 64 * 2 ** 20; // bytes of all cells
export const EACH = 512; // bytes that an output takes beside its own, so that many small ones are bounded as well

/** A cell after one more output, and the bytes that this output takes (0 if it was left out). */
export interface Added {
  cell: Cell;
  bytes: number;
}

/** Bytes in use before the output comes. */
export interface Room {
  cell: number;
  notebook: number;
}

const encoder = new TextEncoder();
const ASCII = /^[\x00-\x7f]*$/;

/** Append to a stream; neighbouring chunks of one stream are one output. */
export function withStream(cell: Cell, stream: "stdout" | "stderr", text: string, room: Room): Added {
  const last = cell.outputs.at(-1);
  const grows = last?.kind === "stream" && last.stream === stream;
  const bytes = utf8(text) + (grows ? 0 : EACH);
  if (!fits(cell, bytes, room)) return omitted(cell, utf8(text));
  const outputs: Output[] = grows
    ? [...cell.outputs.slice(0, -1), { ...last, text: last.text + text }]
    : [...cell.outputs, { kind: "stream", index: cell.outputs.length, stream, text }];
  return { cell: { ...cell, outputs, stdout: stream === "stdout" ? cell.stdout + text : cell.stdout }, bytes };
}

/** An output that does not fit is left out whole and counted; errors are always kept. */
export function withOutput(cell: Cell, output: Output, room: Room): Added {
  if (output.kind === "stream") return withStream(cell, output.stream, output.text, room);
  const bytes = sizeOf(output) + EACH;
  if (!fits(cell, bytes, room) && output.kind !== "error") return omitted(cell, bytes - EACH);
  return { cell: { ...cell, outputs: [...cell.outputs, { ...output, index: cell.outputs.length }] }, bytes };
}

/** Replace every output with this display id, where the new one fits; undefined if the cell shows none. */
export function withDisplay(cell: Cell, displayId: string, output: Output, room: Room): Added | undefined {
  const shows = (old: Output) => "displayId" in old && old.displayId === displayId;
  if (!cell.outputs.some(shows)) return undefined;
  const size = sizeOf(output);
  let bytes = 0;
  let left = cell.omittedBytes ?? 0;
  const outputs = cell.outputs.map((old, index) => {
    if (!shows(old)) return old;
    const growth = size - sizeOf(old);
    if (growth > 0 && !hasRoom(growth + bytes, room)) {
      left += size;
      return old;
    }
    bytes += growth;
    return { ...output, index };
  });
  return { cell: { ...cell, outputs, ...(left > 0 && { omittedBytes: left }) }, bytes };
}

export function withoutOutputs({ error: _e, omittedBytes: _o, ...cell }: Cell): Cell {
  return { ...cell, outputs: [], stdout: "" };
}

export function bytesOf(outputs: readonly Output[]): number {
  return outputs.reduce((sum, output) => sum + sizeOf(output) + EACH, 0);
}

/** Beside EACH: UTF-8 bytes of every string in it, 8 for any other leaf. */
export function sizeOf(output: Output): number {
  switch (output.kind) {
    case "stream":
      return utf8(output.text);
    case "error":
      return sizeOfValue([output.ename, output.evalue, ...output.traceback]);
    case "display":
    case "result":
      return sizeOfValue([output.data, output.metadata]);
  }
}

function sizeOfValue(value: unknown): number {
  let total = 0;
  const todo: unknown[] = [value];
  while (todo.length > 0) {
    const item = todo.pop();
    if (typeof item === "string") total += utf8(item);
    else if (Array.isArray(item)) todo.push(...(item as unknown[]));
    else if (item !== null && typeof item === "object") todo.push(...Object.keys(item), ...(Object.values(item) as unknown[]));
    else total += 8;
  }
  return total;
}

function utf8(text: string): number {
  return ASCII.test(text) ? text.length : encoder.encode(text).length;
}

function fits(cell: Cell, bytes: number, room: Room): boolean {
  return !cell.omittedBytes && hasRoom(bytes, room);
}

function hasRoom(bytes: number, room: Room): boolean {
  return room.cell + bytes <= MAX_CELL_OUTPUT && room.notebook + bytes <= MAX_NOTEBOOK_OUTPUT;
}

/** What does not fit is only counted. */
export function omitted(cell: Cell, bytes: number): Added {
  return { cell: { ...cell, omittedBytes: (cell.omittedBytes ?? 0) + bytes }, bytes: 0 };
}
