/** The command palette and the sheet of keys. A chunk of its own. */

import { useSignal } from "@preact/signals";

import { type Action, ACTIONS, perform } from "./actions";
import { useNotebook } from "./context";
import { useDialog } from "./dialog";
import "./styles/palette.css";

/** Actions whose name holds every word of the query, in the order of the list. */
export function matching(query: string): Action[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return ACTIONS.filter(({ id, name, inEditor }) => id !== "palette" && !inEditor && words.every((word) => name.toLowerCase().includes(word)));
}

export function Palette() {
  const notebook = useNotebook();
  const { dialog, close, closed } = useDialog();
  const query = useSignal("");
  const at = useSignal(0);
  const found = matching(query.value);
  const choose = (action: Action | undefined) => {
    if (!action) return;
    close();
    setTimeout(() => perform(action, notebook)); // after the dialog gave the focus back
  };
  const keyed = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") at.value = Math.min(at.value + 1, found.length - 1);
    else if (event.key === "ArrowUp") at.value = Math.max(at.value - 1, 0);
    else if (event.key === "Enter") choose(found[at.value]);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="All commands" onClose={closed} onClick={(event) => event.target === dialog.current && close()}>
      <input
        role="combobox" aria-label="Command" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list" autofocus
        aria-activedescendant={found[at.value] && `palette-${found[at.value]!.id}`} placeholder="What shall be done?" value={query.value}
        onInput={(event) => ((query.value = event.currentTarget.value), (at.value = 0))} onKeyDown={keyed}
      />
      <ul id="palette-list" role="listbox" aria-label="Commands">
        {found.map((action, index) => (
          <li
            key={action.id} id={`palette-${action.id}`} role="option" aria-selected={index === at.value} aria-disabled={action.needsCell && notebook.selected === undefined}
            ref={(row) => {
              if (index === at.value) row?.scrollIntoView({ block: "nearest" });
            }} onClick={() => choose(action)}
          >
            {action.name} <Keys keys={action.keys} />
          </li>
        ))}
      </ul>
      {found.length === 0 && <p class="empty">No command is called that.</p>}
    </dialog>
  );
}

function Keys({ keys }: { keys: string | undefined }) {
  return <span class="keys">{keys?.split(" or ").map((way) => <kbd key={way}>{way}</kbd>)}</span>;
}

function Sheet({ actions }: { actions: readonly Action[] }) {
  return (
    <dl>
      {actions.filter(({ keys }) => keys !== undefined).map((action) => (
        <div key={action.id}>
          <dt>{action.name}</dt>
          <dd><Keys keys={action.keys} /></dd>
        </div>
      ))}
    </dl>
  );
}

export function Help() {
  const { dialog, close, closed } = useDialog();
  return (
    <dialog ref={dialog} class="palette help" aria-label="Keys" onClose={closed}>
      <h2>Keys</h2>
      <p>Esc leaves the editor for the cell: then single keys act on it. Enter goes back to writing. Cmd works like Ctrl.</p>
      <Sheet actions={ACTIONS.filter(({ inEditor }) => !inEditor)} />
      <h2>While you write</h2>
      <Sheet actions={ACTIONS.filter(({ inEditor }) => inEditor)} />
      <button autofocus onClick={close}>Close</button>
    </dialog>
  );
}
