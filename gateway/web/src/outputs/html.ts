/** HTML of outputs: cleaned and shown in a shadow root; HTML that brings scripts goes into an opaque-origin frame. */

import DOMPurify from "dompurify";

import tableStyle from "../styles/rich.css?inline";
import { drawFrame } from "./frame";
import { asText, type Draw } from "./registry";

const HAS_SCRIPT = /<script\b/i;

export const drawHtml: Draw = (into, value, { dark }) => {
  const html = asText(value);
  return HAS_SCRIPT.test(html) ? drawFrame(into, "Output with scripts", { html, dark }) : drawClean(into, html);
};

/** Styles of the output stay inside the shadow root and cannot repaint the page. */
function drawClean(into: HTMLElement, html: string): undefined {
  const host = document.createElement("div");
  host.className = "html";
  fillClean(host, html);
  into.append(host);
  return undefined;
}

/** Show cleaned HTML in the shadow root of an element, in the place of what was there. */
export function fillClean(host: HTMLElement, html: string): void {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const style = document.createElement("style");
  style.textContent = tableStyle;
  root.replaceChildren(style, clean(html));
}

const outputs = DOMPurify();
outputs.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A" && node.hasAttribute("href")) {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer");
  }
});

/** Nothing in the result can run, submit, or embed another page. */
export function clean(html: string): DocumentFragment {
  return outputs.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    FORBID_TAGS: ["form", "input", "button", "textarea", "select", "iframe", "object", "embed", "base", "link", "meta"],
    ADD_TAGS: ["style"],
    FORCE_BODY: true, // else a style sheet at the start is lost
  });
}
