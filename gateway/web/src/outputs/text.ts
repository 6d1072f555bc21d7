/** Plain text with the terminal's colours: ANSI sequences become classes and colours that the theme keeps readable. */

import Anser from "anser";

import { asText, type Draw } from "./registry";
import { screenOf } from "./terminal";

export const drawText: Draw = (into, value) => {
  const block = document.createElement("pre");
  block.className = "text";
  fillText(block, screenOf(asText(value)));
  into.append(block);
  return undefined;
};

const LONG = 10_000; // characters of a line that are drawn before somebody asks for more

/** Lines longer than LONG are cut; `longest` is the length of the longest that was, 0 when none was. */
export function shortened(text: string): { text: string; longest: number } {
  let longest = 0;
  const cut = text.replace(LONG_LINES, (line) => {
    longest = Math.max(longest, line.length);
    return `${line.slice(0, LONG)} … ${(line.length - LONG).toLocaleString()} more characters`;
  });
  return { text: cut, longest };
}

const LONG_LINES = new RegExp(`[^\\n]{${LONG + 1},}`, "g");

/** Set the content of a <pre>: text nodes and classed spans, never HTML of the output. */
export function fillText(block: HTMLElement, text: string): void {
  if (!text.includes("\x1b")) {
    block.textContent = text;
    return;
  }
  const pieces = Anser.ansiToJson(text, { use_classes: true, remove_empty: true, json: true });
  block.replaceChildren(...pieces.map(colored));
}

function colored(piece: Anser.AnserJsonEntry): Node {
  const front = colourOf(piece.fg, piece.fg_truecolor);
  const back = colourOf(piece.bg, piece.bg_truecolor);
  const classes = (piece.decorations ?? []).map((name) => `ansi-${name}`);
  const span = document.createElement("span");
  if (front !== undefined) classes.push(front.name ?? "ansi-colour");
  if (front?.rgb !== undefined) span.style.setProperty("--fg", front.rgb);
  if (back !== undefined) classes.push(back.name === undefined ? "ansi-colour-bg" : `${back.name}-bg`);
  if (back?.rgb !== undefined) span.style.setProperty("--bg", back.rgb);
  if (classes.length === 0) return document.createTextNode(piece.content);
  span.className = classes.join(" ");
  span.textContent = piece.content;
  return span;
}

/** One of the theme's sixteen has a name; the others of the palette and true colours are what they are. */
type Colour = { name: string; rgb?: undefined } | { name?: undefined; rgb: string };

function colourOf(kind: string | null, exact: string | null): Colour | undefined {
  if (!kind) return undefined;
  if (kind === "ansi-truecolor") return { rgb: `rgb(${exact ?? "0, 0, 0"})` };
  const index = /^ansi-palette-(\d+)$/.exec(kind)?.[1];
  return index === undefined ? { name: kind } : { rgb: paletteColour(Number(index)) };
}

/** Colours 16 to 255 of xterm: a cube of 6 × 6 × 6, then 24 greys. */
export function paletteColour(index: number): string {
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const level = (step: number) => (step === 0 ? 0 : 55 + step * 40);
  const at = index - 16;
  return `rgb(${level(Math.floor(at / 36))}, ${level(Math.floor(at / 6) % 6)}, ${level(at % 6)})`;
}
