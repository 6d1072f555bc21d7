/** Two people changed the same lines: both texts, and the choice between them. */

import { useNotebook } from "./context";

export function ConflictNote({ cellId }: { cellId: string }) {
  const notebook = useNotebook();
  const conflict = notebook.drafts.lost.value.get(cellId);
  if (!conflict) return null;
  return (
    <div class="conflict" role="alert" data-testid="conflict">
      <p>Somebody changed the same lines after you. The cell holds their text; yours is here.</p>
      <div class="versions">
        <figure>
          <figcaption>Yours</figcaption>
          <pre tabIndex={0}>{conflict.yours}</pre>
        </figure>
        <figure>
          <figcaption>Theirs</figcaption>
          <pre tabIndex={0}>{conflict.theirs}</pre>
        </figure>
      </div>
      <p class="row">
        <button onClick={() => notebook.settleConflict(cellId, true)}>Use mine</button>
        <button onClick={() => notebook.settleConflict(cellId, false)}>Keep theirs</button>
      </p>
    </div>
  );
}
