/** The table of renderers, richest first. Importing it fills the registry. */

import { drawHtml } from "./html";
import { drawImage, drawSvg } from "./image";
import { drawJson } from "./json_tree";
import { register } from "./registry";
import { drawText } from "./text";

const one = (type: string) => (mime: string) => mime === type;
// `application/vnd.vegalite.v6.json` since Altair 6, `…v5+json` before; Vega itself alike.
const VEGA = /^application\/vnd\.vega(lite)?\.v\d+[.+]json$/;

register({ name: "widget", matches: one("application/vnd.jupyter.widget-view+json"), load: async () => (await import("./widget")).drawWidget });
register({ name: "vega", matches: (mime) => VEGA.test(mime), load: async () => (await import("./vega")).drawVega });
register({ name: "plotly", matches: one("application/vnd.plotly.v1+json"), load: async () => (await import("./plotly")).drawPlotly });
register({ name: "html", matches: one("text/html"), load: () => drawHtml });
register({ name: "markdown", matches: one("text/markdown"), load: async () => (await import("./markdown")).drawMarkdown });
register({ name: "latex", matches: one("text/latex"), load: async () => (await import("./latex")).drawLatex });
register({ name: "svg", matches: one("image/svg+xml"), load: () => drawSvg });
register({ name: "image", matches: (mime) => /^image\/(png|jpeg|gif|webp)$/.test(mime), load: () => drawImage });
register({ name: "json", matches: one("application/json"), load: () => drawJson });
register({ name: "text", matches: (mime) => mime === "text/plain", load: () => drawText });
