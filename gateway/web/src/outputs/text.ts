/** Plain text with the terminal's colours: ANSI sequences become classes, carriage returns overwrite their line. */

import Anser from "anser";

import { asText, type Draw } from "./registry";

export const drawText: Draw = (into, value) => {
  const block = document.createElement("pre");
  block.className = "text";
  fillText(block, asText(value));
  into.append(block);
  return undefined;
};

/** Set the content of a <pre>: text nodes and classed spans, never HTML of the output. */
export function fillText(block: HTMLElement, raw: string): void {
  const text = raw.includes("\r") ? collapseReturns(raw) : raw;
  if (!text.includes("\x1b")) {
    block.textContent = text;
    return;
  }
  const pieces = Anser.ansiToJson(text, { use_classes: true, remove_empty: true, json: true });
  block.replaceChildren(...pieces.map(colored));
}

function colored(piece: Anser.AnserJsonEntry): Node {
  const classes = [piece.fg, piece.bg && `${piece.bg}-bg`, ...(piece.decorations ?? [])].filter(Boolean) as string[];
  if (classes.length === 0) return document.createTextNode(piece.content);
  const span = document.createElement("span");
  span.className = classes.map((name) => (name.startsWith("ansi-") ? name : `ansi-${name}`)).join(" ");
  if (piece.fg === "ansi-truecolor" && piece.fg_truecolor) span.style.color = `rgb(${piece.fg_truecolor})`;
  if (piece.bg === "ansi-truecolor" && piece.bg_truecolor) span.style.background = `rgb(${piece.bg_truecolor})`;
  span.textContent = piece.content;
  return span;
}

/** What a terminal would show: after a carriage return the line is written again from its start. */
export function collapseReturns(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => (line.includes("\r") ? overwrite(line) : line))
    .join("\n");
}

function overwrite(line: string): string {
  let shown = "";
  for (const part of line.split("\r")) if (part !== "") shown = part.length >= shown.length ? part : part + shown.slice(part.length);
  return shown;
}

export interface Tail {
  text: string;
  /** Lines that are not in `text`. */
  hidden: number;
}

/** The last lines of a stream. Finds them from the end, so that a growing stream costs its tail and not its length. */
export function tailOf(text: string, lines: number): Tail {
  let at = text.endsWith("\n") ? text.length - 1 : text.length;
  for (let count = 0; count < lines; count++) {
    at = text.lastIndexOf("\n", at - 1);
    if (at < 0) return { text, hidden: 0 };
  }
  let hidden = 1;
  for (let from = text.indexOf("\n"); from >= 0 && from < at; from = text.indexOf("\n", from + 1)) hidden++;
  return { text: text.slice(at + 1), hidden };
}
