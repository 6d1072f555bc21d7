/** The notebook at a glance: headings of markdown cells, and each cell with what it defines and its state. */

import { show } from "../cell_actions";
import { shownState } from "../cell_state";
import { useNotebook } from "../context";
import { Icon } from "../icons";
import type { Cell } from "../protocol";

export interface Line {
  cellId: string;
  /** 1 to 6 for headings, 7 for cells. */
  level: number;
  text: string;
}

/** Headings, and a line for each cell that is code. Pure. */
export function outline(cells: readonly Cell[]): Line[] {
  return cells.flatMap((cell): Line[] => {
    if (cell.type !== "markdown") return [{ cellId: cell.id, level: 7, text: cell.name ?? titleOf(cell) }];
    const headings = [...cell.code.matchAll(/^(#{1,6})\s+(.+?)\s*#*$/gm)];
    return headings.map(([, marks, text]) => ({ cellId: cell.id, level: marks!.length, text: text! }));
  });
}

/** What a cell defines, or else how its code begins. */
export function titleOf(cell: Cell): string {
  if (cell.writes.length > 0) return cell.writes.slice(0, 4).join(", ");
  return cell.code.trim().split("\n", 1)[0]!.slice(0, 80) || "empty";
}

export function OutlinePanel() {
  const notebook = useNotebook();
  const { store } = notebook;
  const order = store.order.value;
  const cells = order.flatMap((id) => store.cell(id)?.value ?? []);
  return (
    <ol class="outline">
      {outline(cells).map(({ cellId, level, text }, index) => {
        const cell = store.cell(cellId)!.value;
        const state = shownState(cell, false);
        return (
          <li key={index} data-level={level}>
            <button data-status={cell.status} onClick={() => show(notebook, cellId)}>
              {level === 7 && <span class="number">{order.indexOf(cellId) + 1}</span>}
              <span class="text">{text}</span>
              {level === 7 && <span class="state" title={state.word}><Icon name={state.icon} /><span class="unseen">{state.word}</span></span>}
            </button>
          </li>
        );
      })}
    </ol>
  );
}
