/** Where a new cell can be put: between two cells (seen on hover and focus), and always at the end. */

import { useNotebook } from "./context";
import { Icon } from "./icons";
import type { CellType } from "./protocol";
import { TYPE_WORDS } from "./cell_state";

const TYPES = Object.entries(TYPE_WORDS) as [CellType, string][];

export function InsertStrip({ afterCellId }: { afterCellId: string | null }) {
  const notebook = useNotebook();
  return (
    <div class="insert">
      <span class="insert-line" aria-hidden="true" />
      {TYPES.map(([type, word]) => (
        <button key={type} aria-label={`Insert ${word} cell here`} onClick={() => notebook.createCell(type, afterCellId)}>
          <Icon name="plus" /> {word}
        </button>
      ))}
      <span class="insert-line" aria-hidden="true" />
    </div>
  );
}

export function AddStrip() {
  const notebook = useNotebook();
  const last = notebook.store.order.value.at(-1) ?? null;
  return (
    <div class="add" data-testid="add-end">
      {TYPES.map(([type, word]) => (
        <button key={type} aria-label={`Add ${word} cell`} onClick={() => notebook.createCell(type, last)}>
          <Icon name="plus" /> {word}
        </button>
      ))}
    </div>
  );
}
