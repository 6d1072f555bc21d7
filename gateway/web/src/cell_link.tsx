/** A cell spoken of by its number: a link that goes there. The id stays in the text, unseen, for search and tests. */

import { piecesOf } from "./cell_mentions";
import { useNotebook } from "./context";

export function CellLink({ cellId }: { cellId: string }) {
  const notebook = useNotebook();
  const number = notebook.store.order.value.indexOf(cellId) + 1;
  if (number === 0) return <code>{cellId}</code>;
  const go = (event: MouseEvent) => {
    event.preventDefault();
    document.getElementById(`cell-${cellId}`)?.scrollIntoView({ block: "center", behavior: "smooth" });
    notebook.focus(cellId);
  };
  return (
    <a class="cell-link" href={`#cell-${cellId}`} onClick={go}>
      cell {number}
      <span hidden> ({cellId})</span>
    </a>
  );
}

/** Several of them, with commas. */
export function CellLinks({ cells }: { cells: readonly string[] }) {
  return (
    <>
      {cells.map((cellId, index) => (
        <span key={cellId}>
          {index > 0 && ", "}
          <CellLink cellId={cellId} />
        </span>
      ))}
    </>
  );
}

/** A sentence in which `cell <id>` and `cells <id>, <id>` become links wherever those cells are known. */
export function LinkedText({ text }: { text: string }) {
  const { store } = useNotebook();
  const order = store.order.value;
  return (
    <>
      {piecesOf(text, (id) => order.includes(id)).map((piece, index) =>
        typeof piece === "string" ? piece : <CellLink key={index} cellId={piece.cellId} />,
      )}
    </>
  );
}
