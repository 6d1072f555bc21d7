/** The script that draws a figure of Plotly in its frame. */

import { describe, expect, it } from "vitest";

import { drawing, inDark } from "../src/outputs/plotly";
import { clamped } from "../src/panels/graph_pane";

/** What the script would hand to Plotly. */
function drawn(figure: object, dark = false): { layout: Record<string, unknown>; config: Record<string, unknown>; data: unknown } {
  let given: unknown;
  const plotly = { newPlot: (_: unknown, whole: unknown) => (given = whole) };
  new Function("Plotly", "document", drawing(figure, dark))(plotly, { getElementById: () => null });
  return given as ReturnType<typeof drawn>;
}

describe("a figure", () => {
  it("keeps its own size and configuration", () => {
    const { layout, config, data } = drawn({ data: [1], layout: { height: 300, width: 400 }, config: { scrollZoom: true } });
    expect([layout["height"], layout["autosize"], config["scrollZoom"], config["responsive"], data]).toEqual([300, undefined, true, true, [1]]);
  });

  it("fills the width otherwise, and texts in it cannot end the script", () => {
    const title = "</script>\u2028";
    const { layout } = drawn({ layout: { title } });
    expect([layout["height"], layout["autosize"], layout["title"]]).toEqual([450, true, title]);
  });

  it("stands on our ground in the dark if its template is white", () => {
    const white = { template: { layout: { paper_bgcolor: "white", font: { size: 9 } } } };
    const { template } = inDark(white) as { template: { layout: Record<string, unknown> } };
    expect(template.layout["paper_bgcolor"]).toBe("rgba(0,0,0,0)");
    expect(template.layout["font"]).toEqual({ size: 9, color: "#e4e7ec" });
    const own = { template: { layout: { paper_bgcolor: "rgb(17,17,17)" } } };
    expect(inDark(own)).toBe(own);
  });
});

it("a graph is neither lost in the small nor in the large", () => expect([0, 1, 99].map(clamped)).toEqual([0.1, 1, 4]));
