/** After a deletion, for a while: what happened, and a way back. */

import { useEffect } from "preact/hooks";

import { useNotebook } from "./context";

const SHOWN = 10_000; // ms

export function UndoNote() {
  const notebook = useNotebook();
  const deletion = notebook.deletion.value;
  useEffect(() => {
    if (deletion === undefined) return undefined;
    const timer = setTimeout(() => (notebook.deletion.value = undefined), SHOWN);
    return () => clearTimeout(timer);
  }, [deletion]);
  if (deletion === undefined) return null;
  return (
    <div class="undo-note" role="status" data-testid="undo">
      Cell deleted. <button onClick={() => notebook.undo()}>Undo</button>
    </div>
  );
}
