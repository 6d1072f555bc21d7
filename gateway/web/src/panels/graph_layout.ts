/** Places of nodes and edges in the two pictures of the graph. Pure, but for dagre, which is fetched with this chunk. */

import { Graph as Layered, layout } from "@dagrejs/dagre";

import type { Edge } from "../protocol";

export interface Node {
  id: string;
  label: string;
  x: number; // px, of the middle
  y: number;
}

export interface Line {
  from: string;
  to: string;
  path: string;
}

export interface Picture {
  nodes: Node[];
  lines: Line[];
  width: number; // px
  height: number;
}

export const BOX = { width: 116, height: 32 }; // px
const ROW = 30; // px between two cells of the minimap
const MIDDLE = 92; // px, where the minimap's cells stand

/** Cells one below the other in document order, edges as arcs: to the right downwards, to the left upwards. */
export function minimap(order: readonly string[], edges: readonly Edge[], label: (id: string) => string): Picture {
  const row = new Map(order.map((id, index) => [id, index * ROW + ROW / 2 + 4]));
  const nodes = order.map((id) => ({ id, label: label(id), x: MIDDLE + BOX.width / 2, y: row.get(id)! }));
  const lines = edges.flatMap(({ from, to }): Line[] => {
    const [a, b] = [row.get(from), row.get(to)];
    if (a === undefined || b === undefined) return [];
    const reach = Math.min(18 + Math.abs(b - a) * 0.28, MIDDLE - 8);
    return a <= b
      ? [{ from, to, path: `M${MIDDLE + BOX.width} ${a} C${MIDDLE + BOX.width + reach} ${a} ${MIDDLE + BOX.width + reach} ${b} ${MIDDLE + BOX.width} ${b}` }]
      : [{ from, to, path: `M${MIDDLE} ${a} C${MIDDLE - reach} ${a} ${MIDDLE - reach} ${b} ${MIDDLE} ${b}` }];
  });
  return { nodes, lines, width: 2 * MIDDLE + BOX.width, height: order.length * ROW + 8 };
}

/** Writers above readers, few crossings; cells without any edge are left out of the ranks and come last. */
export function layered(order: readonly string[], edges: readonly Edge[], label: (id: string) => string): Picture {
  const graph = new Layered();
  graph.setGraph({ rankdir: "TB", nodesep: 18, ranksep: 34, marginx: 6, marginy: 6 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const id of order) graph.setNode(id, { ...BOX });
  for (const { from, to } of edges) if (graph.hasNode(from) && graph.hasNode(to) && from !== to) graph.setEdge(from, to);
  layout(graph);
  const nodes = order.map((id) => ({ id, label: label(id), x: graph.node(id).x as number, y: graph.node(id).y as number }));
  const lines = graph.edges().map(({ v, w }) => {
    const points = (graph.edge(v, w) as { points: { x: number; y: number }[] }).points;
    return { from: v, to: w, path: `M${points.map(({ x, y }) => `${x} ${y}`).join(" L")}` };
  });
  const size = graph.graph() as { width?: number; height?: number };
  return { nodes, lines, width: size.width ?? 0, height: size.height ?? 0 };
}
