/** LaTeX as MathML, which browsers draw themselves: no fonts, no style sheet. A chunk of its own. */

import katex from "katex";

import { asText, type Draw } from "./registry";

const DISPLAY = /^\s*(\$\$|\\\[)/;
const FENCE = /^\s*(?:\$\$?|\\\[|\\\()|(?:\$\$?|\\\]|\\\))\s*$/g;

export const drawLatex: Draw = (into, value) => {
  const source = asText(value);
  typeset(into, source.replace(FENCE, ""), DISPLAY.test(source));
  into.classList.add("math");
  return undefined;
};

/** What cannot be read as LaTeX stays as it was written. */
export function typeset(into: HTMLElement, tex: string, display: boolean): void {
  katex.render(tex, into, { output: "mathml", displayMode: display, throwOnError: false, trust: false, maxExpand: 1_000 });
}
