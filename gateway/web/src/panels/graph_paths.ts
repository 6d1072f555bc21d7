/** Who comes before and after a cell in the graph of cells. Pure. */

import type { Edge } from "../protocol";

/** All cells that this one uses, directly or through others. A cycle ends the walk. */
export function ancestors(edges: readonly Edge[], cellId: string): Set<string> {
  return reach(cellId, (id) => edges.filter((edge) => edge.to === id).map((edge) => edge.from));
}

/** All cells that use this one, directly or through others. */
export function descendants(edges: readonly Edge[], cellId: string): Set<string> {
  return reach(cellId, (id) => edges.filter((edge) => edge.from === id).map((edge) => edge.to));
}

function reach(start: string, next: (id: string) => string[]): Set<string> {
  const found = new Set<string>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const one of next(id)) {
      if (one === start || found.has(one)) continue;
      found.add(one);
      open.push(one);
    }
  }
  return found;
}
