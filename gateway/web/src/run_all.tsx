/** "Run all". Cells with effects outside the notebook run too, so the page asks first, once for each set of them. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { CellLinks } from "./cell_link";
import { useNotebook } from "./context";
import { Icon } from "./icons";

export function RunAll() {
  const notebook = useNotebook();
  const asked = useSignal<readonly string[] | undefined>(undefined);
  const agreed = useRef("");
  const run = () => {
    const outside = notebook.cellsWithOutsideEffects();
    if (outside.length === 0 || agreed.current === outside.join()) notebook.runAll();
    else asked.value = outside;
  };
  const answer = (yes: boolean) => {
    if (yes) {
      agreed.current = asked.value?.join() ?? "";
      notebook.runAll();
    }
    asked.value = undefined;
  };
  return (
    <>
      <button class="primary" onClick={run}>
        <Icon name="run" /> Run all
      </button>
      {asked.value && <Question cells={asked.value} answer={answer} />}
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
