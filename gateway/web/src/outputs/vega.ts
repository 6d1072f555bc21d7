/** Vega and Vega-Lite charts. A chunk of its own; expressions are interpreted, so that the page needs no eval. */

import embed, { type VisualizationSpec } from "vega-embed";

import type { Draw } from "./registry";

export const drawVega: Draw = (into, value, { mime, dark }) => {
  const spec = (typeof value === "string" ? JSON.parse(value) : value) as VisualizationSpec;
  let gone = false;
  let free: () => void = () => undefined;
  embed(into, spec, {
    ast: true,
    mode: mime.includes("vegalite") ? "vega-lite" : "vega",
    renderer: "svg",
    actions: false,
    tooltip: { theme: dark ? "dark" : "light" },
    ...(dark && { theme: "dark" as const }),
    config: { background: "transparent", ...(dark && { axis: { gridColor: "#343b45", domainColor: "#4a525e", tickColor: "#4a525e" } }) },
  }).then(
    (result) => {
      free = () => result.finalize();
      if (gone) free();
    },
    (error: unknown) => {
      into.textContent = `The chart could not be drawn: ${error instanceof Error ? error.message : String(error)}`;
    },
  );
  return () => {
    gone = true;
    free();
  };
};
