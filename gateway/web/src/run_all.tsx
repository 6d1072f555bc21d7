/** "Run all". Cells with effects outside the notebook run too, so the page asks first, once for each set of them. */

import { useEffect, useRef } from "preact/hooks";

import { CellLinks } from "./cell_link";
import { useNotebook } from "./context";
import { Icon } from "./icons";

export function RunAll() {
  const notebook = useNotebook();
  const asked = notebook.asksToRun.value;
  const answer = (yes: boolean) => {
    const cells = notebook.asksToRun.peek();
    notebook.asksToRun.value = undefined;
    if (yes && cells) notebook.runAll(cells);
  };
  return (
    <>
      <button class="primary" onClick={() => notebook.runAll()}>
        <Icon name="run" /> Run all
      </button>
      {asked && <Question cells={asked} answer={answer} />}
    </>
  );
}

function Question({ cells, answer }: { cells: readonly string[]; answer: (yes: boolean) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="question" aria-label="Run cells with effects outside?" onClose={() => answer(false)}>
      <p>
        This also runs <CellLinks cells={cells} />, which {cells.length === 1 ? "acts" : "act"} outside this notebook: a database is
        written to, or the shell is called.
      </p>
      <p class="row">
        <button class="primary" onClick={() => answer(true)}>Run everything</button>
        <button onClick={() => answer(false)}>Cancel</button>
      </p>
    </dialog>
  );
}
