/** Files made of what the page holds already. Knows the browser's downloads, no notebook. */

const READ_BY = 60_000; // milliseconds after which the browser has read the file

export function saveText(text: string, name: string): void {
  saveBlob(new Blob([text], { type: "text/plain" }), name);
}

export function saveBlob(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), READ_BY);
}

/** The ending that a file of this MIME type has. */
export function endingOf(mime: string): string {
  const kind = mime.slice(mime.indexOf("/") + 1);
  const known: Readonly<Record<string, string>> = { plain: "txt", "svg+xml": "svg", jpeg: "jpg", markdown: "md", latex: "tex", javascript: "js" };
  return known[kind] ?? (kind.endsWith("json") ? "json" : /^[a-z0-9]{1,5}$/.test(kind) ? kind : "bin");
}
