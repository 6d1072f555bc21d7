/** JSON as a tree that opens level by level: children are made when their branch is opened. */

import { asText, type Draw } from "./registry";

const SHOWN = 100; // children of one branch at a time

export const drawJson: Draw = (into, value) => {
  const tree = document.createElement("div");
  tree.className = "json";
  tree.append(branch(undefined, typeof value === "string" ? parsed(value) : value, true));
  into.append(tree);
  return undefined;
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function branch(key: string | undefined, value: unknown, open: boolean): HTMLElement {
  if (value === null || typeof value !== "object") return leaf(key, value);
  const entries = Object.entries(value);
  const [before, after] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return labelled(document.createElement("div"), key, `${before}${after}`, "json-empty");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  labelled(summary, key, `${before}${entries.length}${after}`, "json-count");
  details.append(summary);
  let from = 0;
  const more = () => {
    const next = entries.slice(from, from + SHOWN).map(([name, item]) => branch(name, item, false));
    from += next.length;
    details.append(...next);
    if (from < entries.length) details.append(moreButton(entries.length - from, more));
  };
  details.addEventListener("toggle", () => {
    if (details.open && from === 0) more();
  });
  if (open) {
    more();
    details.open = true;
  }
  return details;
}

function leaf(key: string | undefined, value: unknown): HTMLElement {
  return labelled(document.createElement("div"), key, asText(JSON.stringify(value) ?? "null"), `json-${typeof value}`);
}

function labelled(element: HTMLElement, key: string | undefined, text: string, kind: string): HTMLElement {
  if (key !== undefined) {
    const name = document.createElement("span");
    name.className = "json-key";
    name.textContent = `${key}: `;
    element.append(name);
  }
  const shown = document.createElement("span");
  shown.className = kind;
  shown.textContent = text;
  element.append(shown);
  return element;
}

function moreButton(left: number, more: () => void): HTMLButtonElement {
  const button = document.createElement("button");
  button.className = "quiet";
  button.textContent = `${left} more`;
  button.addEventListener("click", () => {
    button.remove();
    more();
  });
  return button;
}
