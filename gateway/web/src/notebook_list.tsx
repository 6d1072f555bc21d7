/** The list of notebooks, and a field for a new one. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Brand } from "./brand";
import { Icon } from "./icons";
import { LoginPage } from "./login_page";
import { Note } from "./note";
import { type Listed, Row } from "./notebook_row";
import { HttpError, importPath, rest, upload } from "./session";
import { ThemeButton } from "./theme_button";

const REFRESH = 10_000; // ms

export function NotebookList() {
  const listed = useSignal<readonly Listed[] | undefined>(undefined);
  const failure = useSignal<Error | undefined>(undefined);
  const load = async (background = false) => {
    if (!background) failure.value = undefined;
    try {
      const answer = await rest<Listed[] | { notebooks: Listed[] }>("GET", "/api/v1/notebooks");
      listed.value = Array.isArray(answer) ? answer : answer.notebooks;
    } catch (error) {
      if (background) return; // what is shown stays until somebody wants something
      failure.value = error instanceof Error ? error : new Error(String(error));
    }
  };
  useEffect(() => {
    document.title = "Tailrace";
    void load();
    const look = () => document.visibilityState === "visible" && void load(true); // kernels come and go in other windows
    const timer = setInterval(look, REFRESH);
    addEventListener("focus", look);
    return () => {
      clearInterval(timer);
      removeEventListener("focus", look);
    };
  }, []);
  const failed = failure.value;
  if (failed instanceof HttpError && failed.status === 401) return <LoginPage done={() => void load()} />;
  if (failed) return <Note title="The list could not be loaded" text={failed.message} retry={() => void load()} />;
  return (
    <>
      <header class="bar">
        <div class="bar-line">
          <Brand />
          <h1>Notebooks</h1>
          <span class="spacer" />
          <ThemeButton />
        </div>
      </header>
      <main class="page list">
        {listed.value && <List notebooks={listed.value} reload={load} />}
        <NewNotebook />
        <Import reload={load} />
      </main>
    </>
  );
}

function List({ notebooks, reload }: { notebooks: readonly Listed[]; reload: () => Promise<void> }) {
  const { deleting, remove, undo } = useDeletion(reload);
  const failure = useSignal("");
  const attempt = async (work: Promise<unknown>) => {
    failure.value = "";
    try {
      await work;
      await reload();
      return true;
    } catch (error) {
      failure.value = error instanceof Error ? error.message : String(error);
      return false;
    }
  };
  if (notebooks.length === 0) return <p class="empty" data-testid="notebook-list">No notebooks here yet. Give the first one a name.</p>;
  return (
    <>
    {failure.value !== "" && <p role="alert" class="failure">{failure.value}</p>}
    <ul class="notebooks" data-testid="notebook-list">
      {notebooks.filter(({ id }) => id !== deleting.value?.id).map((one) => (
        <Row key={one.id} notebook={one} attempt={attempt} remove={() => remove({ id: one.id, name: one.name })} />
      ))}
    </ul>
    {deleting.value && (
      <div class="undo-note" role="status" data-testid="undo">
        <span class="what" title={deleting.value.name}>{deleting.value.name} deleted.</span> <button onClick={undo}>Undo</button>
      </div>
    )}
    </>
  );
}

const SECOND_THOUGHTS = 30_000; // ms

interface Deletion {
  id: string;
  name: string;
}

/** A notebook that is being deleted is out of sight at once, and gone when nobody wanted it back for a while. */
function useDeletion(reload: () => Promise<void>) {
  const deleting = useSignal<Deletion | undefined>(undefined);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const finish = async () => {
    clearTimeout(timer.current);
    const gone = deleting.peek();
    if (!gone) return;
    await rest("DELETE", `/api/v1/notebooks/${encodeURIComponent(gone.id)}`).catch(() => undefined); // it is in the list again
    await reload();
    if (deleting.peek() === gone) deleting.value = undefined;
  };
  useEffect(() => {
    const leave = () => void finish();
    addEventListener("pagehide", leave);
    return () => {
      removeEventListener("pagehide", leave);
      void finish();
    };
  }, []);
  const remove = (one: Deletion) => {
    void finish();
    deleting.value = one;
    timer.current = setTimeout(() => void finish(), SECOND_THOUGHTS);
  };
  const undo = () => {
    clearTimeout(timer.current);
    deleting.value = undefined;
  };
  return { deleting, remove, undo };
}

function Import({ reload }: { reload: () => Promise<void> }) {
  const failure = useSignal("");
  const chosen = async (event: Event) => {
    const field = event.currentTarget as HTMLInputElement;
    failure.value = "";
    try {
      for (const file of field.files ?? []) await upload(importPath(file.name), file);
    } catch (error) {
      failure.value = error instanceof Error ? error.message : String(error);
    }
    field.value = "";
    await reload();
  };
  return (
    <div class="import">
      <label>
        Import .py, .ipynb or .md files <input type="file" accept=".py,.ipynb,.md" multiple onChange={(event) => void chosen(event)} />
      </label>
      {failure.value !== "" && <p role="alert">{failure.value}</p>}
    </div>
  );
}

function NewNotebook() {
  const failure = useSignal("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).elements.namedItem("name") as HTMLInputElement;
    const name = field.value.trim();
    if (name === "") return field.focus();
    try {
      const { id } = await rest<{ id: string }>("POST", "/api/v1/notebooks", { name });
      location.assign(`/notebooks/${encodeURIComponent(id)}`);
    } catch (error) {
      failure.value = error instanceof Error ? error.message : String(error);
    }
  };
  return (
    <form class="new-notebook" onSubmit={(event) => void submit(event)} autocomplete="off">
      <input name="name" aria-label="Name of the new notebook" placeholder="Name of a new notebook" maxLength={200} />
      <button type="submit"><Icon name="plus" /> New notebook</button>
      {failure.value !== "" && <p role="alert">{failure.value}</p>}
    </form>
  );
}
