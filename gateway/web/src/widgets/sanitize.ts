/** Stands in for `sanitize-html`, which ipywidgets asks for descriptions with markup: the page has a cleaner already. */

import DOMPurify from "dompurify";

export default function sanitize(html: string, { allowedTags }: { allowedTags: string[] }): string {
  return DOMPurify.sanitize(html, { ALLOWED_TAGS: allowedTags, ALLOWED_ATTR: ["class", "style", "title", "href", "src"] });
}
