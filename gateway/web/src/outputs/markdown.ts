/** Markdown with formulas, cleaned after rendering. A chunk of its own. */

import { Marked, type TokenizerAndRendererExtension } from "marked";

import { clean } from "./html";
import { asText, type Draw } from "./registry";

const INLINE = /^\$(?!\s)((?:\\.|[^\\$\n])+?)(?<!\s)\$(?!\d)/;
const BLOCK = /^\$\$([\s\S]+?)\$\$(?:\n|$)/;

const START = { inline: /\$/, block: /^\$\$/m };

/** Formulas are taken out before `_` and `*` in them mean anything; LaTeX is fetched when there is one. */
function formula(name: string, level: "inline" | "block", pattern: RegExp): TokenizerAndRendererExtension {
  return {
    name,
    level,
    start: (source) => START[level].exec(source)?.index,
    tokenizer: (source) => {
      const match = pattern.exec(source);
      return match ? { type: name, raw: match[0], text: match[1]!.trim() } : undefined;
    },
    renderer: (token) => {
      const place = document.createElement(level === "block" ? "div" : "span");
      place.className = "formula";
      place.dataset["display"] = level;
      place.textContent = (token as unknown as { text: string }).text;
      return place.outerHTML;
    },
  };
}

const marked = new Marked({ gfm: true, extensions: [formula("formula-block", "block", BLOCK), formula("formula", "inline", INLINE)] });

export const drawMarkdown: Draw = (into, value) => {
  const text = document.createElement("div");
  text.className = "markdown";
  const html = clean(marked.parse(asText(value), { async: false }));
  for (const style of html.querySelectorAll("style")) style.remove(); // it would reach the whole page
  text.append(html);
  into.append(text);
  const formulas = [...text.querySelectorAll<HTMLElement>(".formula")];
  if (formulas.length > 0) void typesetAll(formulas);
  return undefined;
};

async function typesetAll(formulas: readonly HTMLElement[]): Promise<void> {
  const { typeset } = await import("./latex");
  for (const place of formulas) typeset(place, place.textContent ?? "", place.dataset["display"] === "block");
}
