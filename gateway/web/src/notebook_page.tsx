/** The page of one notebook: opens it, then shows bar, banners and cells. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { AddStrip, InsertStrip } from "./add_strip";
import { Bar } from "./bar";
import { CellView } from "./cell";
import { CellLinks } from "./cell_link";
import { loadEditor } from "./cell_editor";
import { listenForKeys } from "./command_mode";
import { NotebookContext, useNotebook } from "./context";
import { LoginForm, LoginPage } from "./login_page";
import { Notebook } from "./notebook";
import { Note } from "./note";
import { Overlay } from "./overlay_place";
import { PanelPlace } from "./panel_place";
import { ProblemNote } from "./problem_note";
import { HttpError } from "./session";
import { Examples } from "./examples";
import { UndoNote } from "./undo_note";
import { outputsAbove } from "./view_settings";

export function NotebookPage({ id }: { id: string }) {
  const opened = useSignal<Notebook | undefined>(undefined);
  const failure = useSignal<HttpError | Error | undefined>(undefined);
  const open = () => {
    failure.value = undefined;
    void loadEditor();
    Notebook.open(id).then(
      (notebook) => {
        document.title = `${notebook.store.info.peek().name} · Tailrace`;
        opened.value = notebook;
      },
      (error: unknown) => (failure.value = error instanceof Error ? error : new Error(String(error))),
    );
  };
  useEffect(() => {
    open();
    return () => opened.peek()?.connection.stop();
  }, [id]);
  const failed = failure.value;
  if (failed instanceof HttpError && failed.status === 401) return <LoginPage done={open} />;
  if (failed) return <Note title="This notebook could not be opened" text={failed.message} retry={open} />;
  if (!opened.value) return <main class="page" aria-busy="true" />;
  return (
    <NotebookContext.Provider value={opened.value}>
      <Opened />
    </NotebookContext.Provider>
  );
}

function Opened() {
  const notebook = useNotebook();
  useEffect(() => listenForKeys(notebook), [notebook]);
  const order = notebook.store.order.value;
  return (
    <>
      <a class="skip" href="#cells">Skip to the cells</a>
      <Bar />
      <main class="page" id="cells" tabIndex={-1} data-outputs={outputsAbove.value.has(notebook.id) ? "above" : undefined}>
        <Banners />
        <ProblemNote place="" />
        {order.length === 0 && <p class="empty">An empty notebook. Its first cell goes here:</p>}
        {order.map((cellId, index) => (
          <div class="slot" key={cellId}>
            <InsertStrip afterCellId={order[index - 1] ?? null} />
            <CellView cellId={cellId} number={index + 1} />
          </div>
        ))}
        <Examples />
        <AddStrip />
      </main>
      <UndoNote />
      <PanelPlace />
      <Overlay />
      <div class="unseen" aria-live="polite" data-testid="announcer">{notebook.announcement.value}</div>
    </>
  );
}

/** What concerns the whole notebook and does not go away by itself. */
function Banners() {
  const notebook = useNotebook();
  const refused = notebook.refused.value;
  const readOnly = notebook.store.readOnly.value;
  const conflicts = notebook.store.conflicts.value;
  const { state, cause } = notebook.store.kernel.value;
  const away = notebook.missed.value;
  return (
    <>
      {refused && (
        <div class="banner" role="alert">
          <p>{refused.code === "unknown_notebook" ? <>
            This notebook was deleted, renamed or moved, and its kernel ended. What this page shows is not kept any more: copy what you
            need, or look for it in <a href="/">the list</a>.
          </> : refused.message}</p>
          {refused.code === "not_logged_in" && <LoginForm done={() => notebook.connection.retryNow()} />}
        </div>
      )}
      {readOnly !== undefined && <div class="banner" role="alert"><p>Read-only: {readOnly}</p></div>}
      {conflicts.length > 0 && (
        <div class="banner" role="alert">
          <p>The file changed on disk, and so did {conflicts.length === 1 ? "a cell" : `${conflicts.length} cells`} here. Nothing was overwritten.</p>
        </div>
      )}
      {away && (
        <div class="banner" role="status" data-testid="missed">
          <p>
            While this page was offline
            {away.changed.length > 0 && <>, <CellLinks cells={away.changed.slice(0, 5)} /> changed</>}
            {away.ran.length > 0 && <>, <CellLinks cells={away.ran.slice(0, 5)} /> ran</>}
            {away.gone > 0 && `, ${away.gone === 1 ? "a cell was" : `${away.gone} cells were`} deleted`}.
          </p>
          <button onClick={() => (notebook.missed.value = undefined)}>Dismiss</button>
        </div>
      )}
      {state === "dead" && refused?.code !== "unknown_notebook" && (
        <div class="banner" role="alert">
          <p>There is no kernel. {cause ?? "It ended."} Your code and what it printed are safe.</p>
          <button onClick={() => notebook.restartKernel()}>Start a new kernel</button>
        </div>
      )}
    </>
  );
}
