/** The dependency graph: a minimap in cell order, a layered picture, and the same in words. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { show } from "../cell_actions";
import { CellLink, CellLinks } from "../cell_link";
import { shownState } from "../cell_state";
import { useNotebook } from "../context";
import type { Edge } from "../protocol";
import { Pane } from "./graph_pane";
import type * as Layouts from "./graph_layout";
import { ancestors, descendants } from "./graph_paths";
import { titleOf } from "./outline_panel";

type View = "minimap" | "layered" | "words";
const VIEWS: readonly (readonly [View, string])[] = [["minimap", "In order"], ["layered", "Layered"], ["words", "In words"]];

export function GraphPanel() {
  const { store } = useNotebook();
  const view = useSignal<View>("minimap");
  const layouts = useSignal<typeof Layouts | undefined>(undefined);
  useEffect(() => void import("./graph_layout").then((made) => (layouts.value = made)), []);
  const edges = store.edges.value;
  const order = store.order.value.filter((id) => store.cell(id)?.value.type !== "markdown");
  if (order.length === 0) return <p class="empty">Cells appear here, with lines from who writes a name to who reads it.</p>;
  return (
    <>
      <p class="row" role="group" aria-label="View of the graph">
        {VIEWS.map(([name, word]) => (
          <button key={name} aria-pressed={view.value === name} onClick={() => (view.value = name)}>{word}</button>
        ))}
      </p>
      {view.value === "words" && <InWords order={order} edges={edges} />}
      {view.value !== "words" && layouts.value && <Drawing layouts={layouts.value} view={view.value} order={order} edges={edges} />}
    </>
  );
}

interface DrawingProps {
  layouts: typeof Layouts;
  view: "minimap" | "layered";
  order: readonly string[];
  edges: readonly Edge[];
}

function Drawing({ layouts, view, order, edges }: DrawingProps) {
  const notebook = useNotebook();
  const { store } = notebook;
  const looked = useSignal<string | undefined>(undefined);
  const all = store.order.value;
  const label = (id: string) => `${all.indexOf(id) + 1}  ${titleOf(store.cell(id)!.value)}`;
  const { nodes, lines, width, height } = layouts[view](order, edges, label);
  const focus = looked.value ?? notebook.focused.value;
  const near = focus === undefined ? undefined : new Set([focus, ...ancestors(edges, focus), ...descendants(edges, focus)]);
  const part = (id: string) => (near === undefined ? undefined : near.has(id) ? "near" : "far");
  const keyed = (event: KeyboardEvent, id: string) => {
    if (event.key === "Enter" || event.key === " ") show(notebook, id);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const next = order[order.indexOf(id) + (event.key === "ArrowDown" ? 1 : -1)];
      if (next !== undefined) document.getElementById(`node-${next}`)?.focus();
    } else return;
    event.preventDefault();
  };
  const { width: w, height: h } = layouts.BOX;
  return (
    <Pane width={width} height={height} view={view}>
        <defs>
          <pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path d="M0 0V6" class="hatch" /></pattern>
          <marker id="tip" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" orient="auto"><path d="M0 0 6 3 0 6z" class="tip" /></marker>
        </defs>
        {lines.map(({ from, to, path }) => (
          <path key={`${from} ${to}`} class="edge" d={path} marker-end="url(#tip)" data-part={part(from) === "near" && part(to) === "near" ? "near" : part(from) && "far"} />
        ))}
        {nodes.map(({ id, label: text, x, y }) => {
          const cell = store.cell(id)!.value;
          return (
            <g
              key={id} id={`node-${id}`} class="node" transform={`translate(${x - w / 2} ${y - h / 2 + 3})`} tabIndex={-1} role="button"
              aria-label={`Cell ${text.trim()}, ${shownState(cell, false).word}`} data-status={cell.status} data-part={part(id)}
              onClick={() => show(notebook, id)} onFocus={() => (looked.value = id)} onBlur={() => (looked.value = undefined)}
              onMouseEnter={() => (looked.value = id)} onMouseLeave={() => (looked.value = undefined)} onKeyDown={(event) => keyed(event, id)}
            >
              <rect width={w} height={h - 6} rx="6" />
              <text x="8" y={h / 2 + 1}>{text.length > 17 ? `${text.slice(0, 16)}…` : text}</text>
            </g>
          );
        })}
    </Pane>
  );
}

function InWords({ order, edges }: { order: readonly string[]; edges: readonly Edge[] }) {
  const cells = (ids: Iterable<string>) => [...new Set(ids)];
  return (
    <ul class="graph-words">
      {order.map((id) => {
        const uses = cells(edges.filter((edge) => edge.to === id).map((edge) => edge.from));
        const used = cells(edges.filter((edge) => edge.from === id).map((edge) => edge.to));
        return (
          <li key={id}>
            <CellLink cellId={id} />{" "}
            {uses.length > 0 ? <>uses <CellLinks cells={uses} /></> : "uses no other cell"}
            {used.length > 0 && <>; used by <CellLinks cells={used} /></>}.
          </li>
        );
      })}
    </ul>
  );
}
