/** One notebook of the list: its link, what its kernel costs, and what can be done with it. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { byteCount } from "./cell_state";
import { Icon } from "./icons";
import { blob, download, HttpError, importPath, rest, upload } from "./session";

export interface Listed {
  id: string;
  name: string;
  path: string;
  kernel: string | null; // null: not open
  memory?: number | null; // bytes its kernel holds
  clients?: number; // windows that show it
}

interface RowProps {
  notebook: Listed;
  /** False when it failed, which is said above the list. */
  attempt: (work: Promise<unknown>) => Promise<boolean>;
  remove: () => void;
}

export function Row({ notebook, attempt, remove }: RowProps) {
  const { id, name, path, kernel, clients = 0 } = notebook;
  const holds = notebook.memory ?? undefined;
  const inUse = clients > 0 || holds !== undefined;
  const renaming = useSignal(false);
  const asksToDelete = useSignal(false);
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => closeLikeAMenu(menu.current!), []);
  const away = (work: () => void) => () => {
    menu.current?.removeAttribute("open");
    work();
  };
  const address = `/api/v1/notebooks/${encodeURIComponent(id)}`;
  const rename = async (to: string) => {
    const asked = to !== name && to !== "";
    if (!asked || (await attempt(rest("POST", `${address}/rename`, { name: to })))) renaming.value = false; // else the text stays
  };
  return (
    <li>
      {renaming.value ? <Rename name={name} running={holds !== undefined} done={(to) => void rename(to)} /> : (
        <a href={`/notebooks/${encodeURIComponent(id)}`}>
          <Icon name="notebook" />
          <span class="notebook-name" title={name}>{name}</span>
          <span class="notebook-path" title={path}>{path}</span>
          {kernel !== null && (
            <span class="badge kernel-badge" data-state={kernel}>
              {KERNEL_WORDS[kernel] ?? kernel}
              {holds !== undefined && `, ${byteCount(holds)}`}
              {clients > 0 && `, ${clients === 1 ? "1 window" : `${clients} windows`}`}
            </span>
          )}
        </a>
      )}
      {holds === undefined ? <span class="stop-kernel" /> : (
        <button class="bare stop-kernel" aria-label={`Stop the kernel of ${name}`} title="Stop the kernel: its variables go"
          onClick={() => void attempt(rest("POST", `${address}/kernel/stop`, {}))}>
          <Icon name="stop" />
        </button>
      )}
      <details class="more" ref={menu}>
        <summary aria-label={`More for ${name}`}><Icon name="menu" /></summary>
        <div class="menu">
          <button onClick={away(() => (renaming.value = true))}>Rename</button>
          <button onClick={away(() => void attempt(duplicate(id, path)))}>Duplicate</button>
          {FORMATS.map(([format, word]) => (
            <button key={format} onClick={away(() => void attempt(download(exportPath(id, format), `${name}.${format}`)))}>{word}</button>
          ))}
          <button onClick={away(() => (inUse ? (asksToDelete.value = true) : remove()))}>Delete</button>
        </div>
      </details>
      {asksToDelete.value && (
        <DeleteQuestion notebook={notebook} answer={(yes) => {
          asksToDelete.value = false;
          if (yes) remove();
        }} />
      )}
    </li>
  );
}

/** Esc and a press elsewhere close it, as they do a menu. Returns what ends this. */
function closeLikeAMenu(menu: HTMLDetailsElement): () => void {
  const pressed = ({ target }: Event) => {
    if (!(target instanceof Node && menu.contains(target))) menu.removeAttribute("open");
  };
  const key = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.removeAttribute("open");
    menu.querySelector("summary")?.focus();
  };
  addEventListener("pointerdown", pressed);
  addEventListener("keydown", key);
  return () => {
    removeEventListener("pointerdown", pressed);
    removeEventListener("keydown", key);
  };
}

function DeleteQuestion({ notebook, answer }: { notebook: Listed; answer: (yes: boolean) => void }) {
  const { name, clients = 0, memory } = notebook;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="question" aria-label={`Delete ${name}?`} onClose={() => answer(false)}>
      <p>
        {clients > 0 && `${name} is open in ${clients === 1 ? "a window" : `${clients} windows`}. `}
        {typeof memory === "number" && "Its kernel runs: its variables go. "}
        Delete it?
      </p>
      <p class="row">
        <button class="primary" onClick={() => answer(true)}>Delete</button>
        <button onClick={() => answer(false)}>Cancel</button>
      </p>
    </dialog>
  );
}

const KERNEL_WORDS: Readonly<Record<string, string>> = {
  starting: "starting",
  idle: "kernel idle",
  busy: "kernel busy",
  unresponsive: "not answering",
  dead: "kernel stopped",
  restarting: "restarting",
};

/** `done` gets the former name when a person thinks better of it. */
function Rename({ name, running, done }: { name: string; running: boolean; done: (name: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    done(field.current!.value.trim());
  };
  return (
    <form class="rename" onSubmit={submit} onKeyDown={(event) => event.key === "Escape" && done(name)}>
      <input ref={field} aria-label={`New name of ${name}`} defaultValue={name} maxLength={200} />
      <button type="submit">Rename</button>
      <button type="button" onClick={() => done(name)}>Cancel</button>
      {running && <p>Renaming ends its kernel: variables go.</p>}
    </form>
  );
}

const FORMATS = [
  ["ipynb", "Download .ipynb"], ["py", "Download .py"], ["md", "Download .md"], ["html", "Download .html"],
] as const;
function exportPath(id: string, format: string): string {
  return `/api/v1/notebooks/${encodeURIComponent(id)}/export?format=${format}`;
}

/** Code and, from .ipynb, outputs; under a name that is free. */
async function duplicate(id: string, path: string): Promise<void> {
  const file = path.slice(path.lastIndexOf("/") + 1);
  const suffix = file.endsWith(".ipynb") ? "ipynb" : "py";
  const content = await blob(exportPath(id, suffix));
  const stem = file.replace(/\.(ipynb|py)$/, "");
  for (let copy = 1; ; copy++) {
    try {
      return void (await upload(importPath(`${stem}-copy${copy === 1 ? "" : copy}.${suffix}`), content));
    } catch (error) {
      if (!(error instanceof HttpError && error.code === "conflict") || copy === 20) throw error;
    }
  }
}

