/** The header of a notebook: name, progress, chips, and the line of actions with the database. */

import { Brand } from "./brand";
import { duration } from "./cell_state";
import { ConnectionChip, KernelChip } from "./chips";
import { useNotebook } from "./context";
import { DbField } from "./db_field";
import { Icon } from "./icons";
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
        <AutoRun />
        <span class="spacer" />
        <DbField />
      </div>
    </header>
  );
}

function AutoRun() {
  const notebook = useNotebook();
  const on = notebook.store.info.value.settings.autoRun;
  return (
    <button
      class="switch" role="switch" aria-checked={on} aria-label="Auto-run"
      title="Run a cell by itself when you stop typing for 1.5 seconds"
      onClick={() => notebook.setNotebook({ autoRun: !on })}
    >
      <span class="switch-track" aria-hidden="true" /> Auto-run
    </button>
  );
}

function Progress() {
  const { store } = useNotebook();
  const progress = store.progress.value;
  if (!progress || progress.total < 2) return <span class="progress" data-testid="progress" />;
  const current = progress.current === undefined ? 0 : store.order.value.indexOf(progress.current) + 1;
  return (
    <span class="progress" data-testid="progress">
      <progress max={progress.total} value={progress.done} aria-label="Progress of the run" />
      {progress.done} of {progress.total}
      {current > 0 && `, cell ${current}`}
      {progress.expectedSeconds !== undefined && progress.expectedSeconds >= 1 && `, about ${duration(progress.expectedSeconds)}`}
    </span>
  );
}

function People() {
  const { store } = useNotebook();
  const count = store.clients.value.length;
  return count > 1 ? <span class="people">{count} windows</span> : null;
}
