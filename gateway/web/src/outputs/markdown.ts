/** Markdown, cleaned after rendering. A chunk of its own. */

import { marked } from "marked";

import { clean } from "./html";
import { asText, type Draw } from "./registry";

export const drawMarkdown: Draw = (into, value) => {
  const text = document.createElement("div");
  text.className = "markdown";
  const html = clean(marked.parse(asText(value), { async: false, gfm: true }));
  for (const style of html.querySelectorAll("style")) style.remove(); // it would reach the whole page
  text.append(html);
  into.append(text);
  return undefined;
};
