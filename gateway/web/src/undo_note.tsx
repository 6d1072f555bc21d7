/** After a deletion or a change of several cells, for a while: what happened, and a way back. */

import { useEffect } from "preact/hooks";

import { useNotebook } from "./context";

const SHOWN = 30_000; // ms

export function UndoNote() {
  const notebook = useNotebook();
  const done = notebook.undoable.value;
  useEffect(() => {
    if (done === undefined) return undefined;
    const timer = setTimeout(() => (notebook.undoable.value = undefined), SHOWN);
    return () => clearTimeout(timer);
  }, [done?.id]);
  if (done === undefined) return null;
  return (
    <div class="undo-note" role="status" data-testid="undo">
      <span>{done.text}</span> <button onClick={() => notebook.undo()}>Undo</button>
    </div>
  );
}
