/** The dialog that renames a variable in all cells. A chunk of its own. */

import { useSignal } from "@preact/signals";

import { LinkedText } from "./cell_link";
import { useNotebook } from "./context";
import { useDialog } from "./dialog";
import { counted, renameVariable } from "./rename";
import "./styles/palette.css";

export function RenameDialog() {
  const notebook = useNotebook();
  const { dialog, close, closed } = useDialog();
  const known = [...new Set([...notebook.store.now.cells.values()].flatMap(({ writes }) => writes))].filter((name) => !name.includes(":")).sort();
  const name = useSignal(notebook.renames);
  const newName = useSignal(notebook.renames);
  const refused = useSignal("");
  const busy = useSignal(false);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    if (busy.peek()) return;
    busy.value = true;
    const outcome = await renameVariable(notebook, name.value.trim(), newName.value.trim());
    busy.value = false;
    if ("refused" in outcome) return void (refused.value = outcome.refused);
    close();
    const unseen = outcome.unseen.length > 0 ? " Look at the cells that run text of their own (exec, magics): it was not searched." : "";
    notebook.tellUndoable(`Renamed ${name.value.trim()} to ${newName.value.trim()}: ${counted(outcome.places, outcome.cells)}.${unseen}`);
  };
  return (
    <dialog ref={dialog} class="palette ask" aria-label="Rename a variable" onClose={closed}>
      <form onSubmit={(event) => void submit(event)}>
        <label>
          Variable
          <input
            name="name" list="rename-names" value={name.value} spellcheck={false} autocomplete="off" autofocus={notebook.renames === ""} required
            onInput={(event) => ((name.value = event.currentTarget.value), (refused.value = ""))}
          />
        </label>
        <datalist id="rename-names">{known.map((one) => <option key={one} value={one} />)}</datalist>
        <label>
          New name
          <input
            name="new-name" value={newName.value} spellcheck={false} autocomplete="off" autofocus={notebook.renames !== ""} required
            onFocus={(event) => event.currentTarget.select()}
            onInput={(event) => ((newName.value = event.currentTarget.value), (refused.value = ""))}
          />
        </label>
        {refused.value !== "" && (
          <p class="refused" role="alert" onClickCapture={(event) => (event.target as Element).closest("a") && close()}>
            <LinkedText text={refused.value} />
          </p>
        )}
        <p class="row">
          <button class="primary" aria-disabled={busy.value}>Rename in all cells</button>
          <button type="button" onClick={close}>Cancel</button>
        </p>
        <p class="hint">Only this variable: not text, comments, attributes or locals of the same name. One undo takes all of it back.</p>
      </form>
    </dialog>
  );
}
