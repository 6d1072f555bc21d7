/** The list of notebooks, and a field for a new one. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { Brand } from "./brand";
import { Icon } from "./icons";
import { LoginPage } from "./login_page";
import { Note } from "./note";
import { HttpError, rest } from "./session";
import { ThemeButton } from "./theme_button";

interface Listed {
  id: string;
  name: string;
  path: string;
  kernel: string | null; // null: not open
}

export function NotebookList() {
  const listed = useSignal<readonly Listed[] | undefined>(undefined);
  const failure = useSignal<Error | undefined>(undefined);
  const load = async () => {
    failure.value = undefined;
    try {
      const answer = await rest<Listed[] | { notebooks: Listed[] }>("GET", "/api/v1/notebooks");
      listed.value = Array.isArray(answer) ? answer : answer.notebooks;
    } catch (error) {
      failure.value = error instanceof Error ? error : new Error(String(error));
    }
  };
  useEffect(() => {
    document.title = "Tailrace";
    void load();
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
        {listed.value && <List notebooks={listed.value} />}
        <NewNotebook />
      </main>
    </>
  );
}

function List({ notebooks }: { notebooks: readonly Listed[] }) {
  if (notebooks.length === 0) return <p class="empty" data-testid="notebook-list">No notebooks here yet. Give the first one a name.</p>;
  return (
    <ul class="notebooks" data-testid="notebook-list">
      {notebooks.map(({ id, name, path, kernel }) => (
        <li key={id}>
          <a href={`/notebooks/${encodeURIComponent(id)}`}>
            <Icon name="notebook" />
            <span class="notebook-name">{name}</span>
            <span class="notebook-path">{path}</span>
            {kernel !== null && <span class="badge">{kernel}</span>}
          </a>
        </li>
      ))}
    </ul>
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
