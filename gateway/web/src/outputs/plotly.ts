/** Plotly's figures, drawn by the plotly.js of the kernel's own plotly package: versions match, nothing comes from a network. */

import type { Notebook } from "../notebook";
import { blob } from "../session";
import { drawFrame } from "./frame";
import type { Draw } from "./registry";

interface Figure {
  data?: unknown;
  layout?: Layout;
  config?: object;
  frames?: unknown;
}

interface Layout extends Record<string, unknown> {
  template?: { layout?: Record<string, unknown> };
}

const libraries = new WeakMap<Notebook, Promise<string>>(); // of several megabytes: one fetch per page

function library(notebook: Notebook): Promise<string> {
  let text = libraries.get(notebook);
  if (text === undefined) {
    text = blob(`/api/v1/notebooks/${encodeURIComponent(notebook.id)}/libraries/plotly`).then((content) => content.text());
    libraries.set(notebook, text);
    text.catch(() => libraries.delete(notebook));
  }
  return text;
}

export const drawPlotly: Draw = (into, value, { dark, notebook, plain }) => {
  let gone = false;
  let free = (): void => undefined;
  const figure = (typeof value === "string" ? JSON.parse(value) : value) as Figure;
  const draw = async (): Promise<void> => {
    if (notebook === undefined) throw new Error("no kernel is here");
    const source = await library(notebook);
    if (gone) return;
    into.replaceChildren();
    free = drawFrame(into, "Plotly chart", { html: PLACE, dark, scripts: [source, drawing(figure, dark)] });
  };
  draw().catch((error: unknown) => {
    if (gone) return;
    into.className = "omitted";
    into.textContent = `The Plotly chart could not be drawn: ${error instanceof Error ? error.message : String(error)} ${plain.slice(0, 80)}`;
  });
  return () => {
    gone = true;
    free();
  };
};

const PLACE = '<div id="chart"></div>';
const HEIGHT = 450; // px, of a figure that names none: Plotly's own default

/** The script that draws: the figure is JSON, which is an expression of JavaScript. */
export function drawing(figure: Figure, dark: boolean): string {
  const layout = dark ? inDark(figure.layout ?? {}) : (figure.layout ?? {});
  const { height = HEIGHT, width } = layout as { height?: unknown; width?: unknown };
  const whole = {
    data: figure.data ?? [],
    layout: { ...layout, height, ...(width === undefined && { autosize: true }) },
    config: { responsive: true, displaylogo: false, ...figure.config },
    frames: figure.frames ?? [],
  };
  return `const place = document.getElementById("chart");
Plotly.newPlot(place, ${JSON.stringify(whole)});`;
}

const WHITE = new Set(["white", "#fff", "#ffffff"]);

/** Plotly's light templates on a dark page: a ground that lets ours through, light words, faint lines. Other templates stay. */
export function inDark(layout: Layout): Layout {
  const template = layout.template?.layout;
  const paper = template?.["paper_bgcolor"];
  if (template && !(typeof paper === "string" && WHITE.has(paper.toLowerCase()))) return layout;
  const axis = (name: string) => ({ ...(template?.[name] as object | undefined), gridcolor: "#343b45", linecolor: "#343b45", zerolinecolor: "#4a525e" });
  return {
    ...layout,
    template: {
      ...layout.template,
      layout: {
        ...template,
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        font: { ...(template?.["font"] as object | undefined), color: "#e4e7ec" },
        xaxis: axis("xaxis"),
        yaxis: axis("yaxis"),
      },
    },
  };
}
