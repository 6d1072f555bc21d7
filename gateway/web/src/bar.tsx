/** The header of a notebook: name, progress, chips, and the line of actions with the database. */

import { Brand } from "./brand";
import { CellLink } from "./cell_link";
import { duration } from "./cell_state";
import { ConnectionChip, KernelChip } from "./chips";
import { useNotebook } from "./context";
import { DbField } from "./db_field";
import { Icon } from "./icons";
import { FindPlace } from "./overlay_place";
import { PanelButtons } from "./panel_place";
import { RunAll } from "./run_all";
import { ThemeButton } from "./theme_button";

export function Bar() {
  const notebook = useNotebook();
  const { name, path } = notebook.store.info.value;
  return (
    <header class="bar">
      <div class="bar-line">
        <Brand />
        <h1 title={path}>{name}</h1>
        <Saved />
        <Progress />
        <span class="spacer" />
        <People />
        <KernelChip />
        <ConnectionChip />
        <ThemeButton />
      </div>
      <div class="bar-line actions">
        <RunAll />
        <button onClick={() => notebook.runStale()}>
          <Icon name="stale" /> Run stale
        </button>
        <Switches />
        <PanelButtons />
        <span class="spacer" />
        <DbField />
      </div>
      <FindPlace />
    </header>
  );
}

function Switches() {
  const notebook = useNotebook();
  const { autoRun, lazy } = notebook.store.info.value.settings;
  return (
    <>
      <Switch
        name="Auto-run" on={autoRun} flip={() => notebook.setNotebook({ autoRun: !autoRun })}
        title="Run a cell by itself when you stop typing for 1.5 seconds"
      />
      <Switch
        name="Lazy" on={lazy} flip={() => notebook.setNotebook({ lazy: !lazy })}
        title="Mark what depends on a run as stale, instead of running it"
      />
    </>
  );
}

function Switch({ name, on, title, flip }: { name: string; on: boolean; title: string; flip: () => void }) {
  return (
    <button class="switch" role="switch" aria-checked={on} aria-label={name} title={title} onClick={flip}>
      <span class="switch-track" aria-hidden="true" /> {name}
    </button>
  );
}

function Progress() {
  const { store } = useNotebook();
  const progress = store.progress.value;
  if (!progress || progress.total < 2) return <span class="progress" data-testid="progress" />;
  return (
    <span class="progress" data-testid="progress">
      <progress max={progress.total} value={progress.done} aria-label="Progress of the run" />
      {progress.done} of {progress.total}
      {progress.current !== undefined && <span>at <CellLink cellId={progress.current} /></span>}
      {progress.expectedSeconds !== undefined && progress.expectedSeconds >= 1 && `about ${duration(progress.expectedSeconds)} in all`}
    </span>
  );
}

/** "Saved 12:03": when the file was last written. */
function Saved() {
  const { savedAt } = useNotebook();
  if (savedAt.value === undefined) return null;
  const time = new Date(savedAt.value).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return <span class="saved" data-testid="saved">Saved {time}</span>;
}

function People() {
  const { store, client, overlay } = useNotebook();
  const others = store.clients.value.filter((member) => member.client !== client);
  if (others.length === 0) return null;
  const named = others.map(({ name }) => name).filter(Boolean);
  const more = others.length - named.length;
  const who = [...named.slice(0, 3), ...(named.length > 3 ? [`${named.length - 3} more`] : []), ...(more > 0 ? [`${more} ${more === 1 ? "window" : "windows"}`] : [])];
  return (
    <button class="quiet people" data-testid="people" title="Also here. Say who you are to them" onClick={() => (overlay.value = "person")}>
      with {who.join(", ")}
    </button>
  );
}
