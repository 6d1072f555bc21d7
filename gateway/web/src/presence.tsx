/** Who else is on a cell: a mark in its head, in words. */

import { useNotebook } from "./context";

export function Others({ cellId }: { cellId: string }) {
  const { store, client } = useNotebook();
  const here = store.clients.value.filter((member) => member.cellId === cellId && member.client !== client);
  if (here.length === 0) return null;
  const names = here.map(({ name }) => name).filter(Boolean).join(", ");
  return (
    <span class="others-here" data-testid="others" title="Open in another window, with the focus on this cell">
      <span class="dot" aria-hidden="true" />
      {names || (here.length === 1 ? "someone here" : `${here.length} others here`)}
    </span>
  );
}
