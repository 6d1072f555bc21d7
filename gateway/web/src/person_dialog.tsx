/** The dialog in which a person says who they are. A chunk of its own. */

import { useSignal } from "@preact/signals";

import { useNotebook } from "./context";
import { useDialog } from "./dialog";
import { LONGEST, personName } from "./person";
import "./styles/palette.css";

export function PersonDialog() {
  const notebook = useNotebook();
  const { dialog, close, closed } = useDialog();
  const name = useSignal(personName.peek());
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const changed = name.value.trim() !== personName.peek();
    personName.value = name.value.trim();
    close();
    if (changed && notebook.connection.state.peek() === "live") notebook.connection.reattach("You said who you are.");
  };
  return (
    <dialog ref={dialog} class="palette ask" aria-label="Your name" onClose={closed}>
      <form onSubmit={submit}>
        <label>
          Your name, as others in this notebook see it
          <input value={name.value} maxLength={LONGEST} autocomplete="name" autofocus onInput={(event) => (name.value = event.currentTarget.value)} />
        </label>
        <p class="row">
          <button class="primary">Save</button>
          <button type="button" onClick={close}>Cancel</button>
        </p>
      </form>
    </dialog>
  );
}
