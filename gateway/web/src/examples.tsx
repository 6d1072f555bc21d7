/** For a notebook with nothing in it: what to do, and two texts to begin with. */

import { useNotebook } from "./context";
import type { CellType } from "./protocol";

const TEXTS: readonly (readonly [name: string, ...cells: readonly (readonly [CellType, string])[]])[] = [
  ["Try a reactive pair", ["python", "x = 5"], ["python", "y = x + 1\ny"]],
  ["Try SQL on a DataFrame", ["python", "import pandas as pd\norders = pd.DataFrame({'item': ['tea', 'jam'], 'n': [2, 5]})"], ["sql", "SELECT sum(n) AS sold FROM orders"]],
];

export function Examples() {
  const notebook = useNotebook();
  const { order } = notebook.store;
  const only = order.value.length === 1 ? notebook.store.cell(order.value[0]!)?.value : undefined;
  const blank = order.value.length === 0 || (only?.code === "" && notebook.draft(only.id)?.edited.value === false);
  if (!blank) return null;
  return (
    <div class="examples" data-testid="examples">
      <p class="empty">Change a cell, and every cell that uses its names follows.</p>
      <p class="row">
        {TEXTS.map(([name, ...cells]) => (
          <button key={name} onClick={() => notebook.fill(cells)}>{name}</button>
        ))}
      </p>
    </div>
  );
}
