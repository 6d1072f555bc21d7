/** Keys of the page outside the editors, as JupyterLab has them. Knows the DOM's focus and the list of actions. */

import { ACTIONS, perform } from "./actions";
import { Chords, keyName } from "./chords";
import type { Notebook } from "./notebook";

const EVERYWHERE: ReadonlySet<string> = new Set(["save", "palette", "find", "find-next", "find-previous", "replace"]);
const TAKEN_BY_BROWSER: ReadonlySet<string> = new Set(["Ctrl-C", "Ctrl-X", "Ctrl-V", "Ctrl-A"]);

/** Listens until the returned function is called. */
export function listenForKeys(notebook: Notebook): () => void {
  const chords = new Chords(ACTIONS.flatMap(({ id, keys, inEditor }) => (keys === undefined || inEditor ? [] : [[keys, id] as const])));
  const actions = new Map(ACTIONS.map((action) => [action.id, action]));
  const pressed = (event: KeyboardEvent) => {
    const key = keyName(event);
    if (event.defaultPrevented || key === undefined || TAKEN_BY_BROWSER.has(key) || notebook.overlay.peek() !== undefined) return;
    const found = chords.press(key, event.timeStamp);
    const commanding = inCommandMode(event.target);
    if (found === undefined || (found === "wait" && !commanding)) return;
    if (found === "wait") return event.preventDefault();
    const action = actions.get(found.action)!;
    if (!commanding && !EVERYWHERE.has(action.id)) return;
    event.preventDefault();
    perform(action, notebook);
  };
  addEventListener("keydown", pressed);
  return () => removeEventListener("keydown", pressed);
}

/** The focus is on a cell, not inside it, or nowhere. */
function inCommandMode(target: EventTarget | null): boolean {
  return target === document.body || (target instanceof HTMLElement && target.matches("section.cell, main"));
}
