/** The line above a cell's code: run or stop, number, kind, what it defines, its state in words, and the tools. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";

import { CellLinks } from "./cell_link";
import { duration, reasonOf, type Shown, TYPE_WORDS } from "./cell_state";
import { useNotebook } from "./context";
import { type Draft, PAUSE } from "./draft";
import { Icon } from "./icons";
import { Others } from "./presence";
import type { Cell, CellMode, CellType } from "./protocol";

interface HeadProps {
  cell: Cell;
  number: number;
  draft: Draft;
  state: Shown;
}

export function CellHead({ cell, number, draft, state }: HeadProps) {
  return (
    <div class="cell-head">
      <RunButton cell={cell} />
      <span class="number" aria-hidden="true">{number}</span>
      <TypeSwitch cell={cell} />
      <Defines names={cell.writes} />
      {cell.mode !== "auto" && <span class="badge">{cell.mode === "manual" ? "Manual" : "Disabled"}</span>}
      <Others cellId={cell.id} />
      <span class="spacer" />
      <Tools cell={cell} number={number} />
      <Waiting draft={draft} />
      <Status cell={cell} state={state} />
    </div>
  );
}

function RunButton({ cell }: { cell: Cell }) {
  const notebook = useNotebook();
  if (cell.type === "markdown") return <span class="run placeholder" />;
  const busy = cell.status === "queued" || cell.status === "running";
  return busy ? (
    <button class="run busy" aria-label="Stop cell" title="Stop" onClick={() => notebook.interrupt()}>
      <Icon name="stop" />
    </button>
  ) : (
    <button class="run" aria-label="Run cell" title="Run (Ctrl-Enter)" onClick={() => notebook.runCell(cell.id)}>
      <Icon name="run" />
    </button>
  );
}

function TypeSwitch({ cell }: { cell: Cell }) {
  const notebook = useNotebook();
  return (
    <select
      class="type" aria-label="Cell type" value={cell.type}
      onChange={(event) => notebook.setCell(cell.id, { cellType: event.currentTarget.value as CellType })}
    >
      {Object.entries(TYPE_WORDS).map(([type, word]) => (
        <option key={type} value={type}>{word}</option>
      ))}
    </select>
  );
}

function Defines({ names }: { names: readonly string[] }) {
  if (names.length === 0) return null;
  const shown = names.slice(0, 4).join(", ");
  return (
    <span class="defines" title={names.join(", ")}>
      defines <code>{shown}</code>
      {names.length > 4 && ` and ${names.length - 4} more`}
    </span>
  );
}

/** What the typing timer is about to do, or why it did nothing. */
function Waiting({ draft }: { draft: Draft }) {
  const phase = draft.phase.value;
  const held = draft.held.value;
  if (phase === "counting")
    return (
      <button class="countdown" data-testid="countdown" title="Do not run by itself" onClick={() => draft.cancel()}>
        <span class="countdown-bar" style={{ animationDuration: `${PAUSE}ms` }} key={draft.text} aria-hidden="true" />
        runs in 1.5 s <kbd>Esc</kbd>
      </button>
    );
  if (held === "incomplete") return <span class="note" data-testid="countdown">incomplete, not run</span>;
  if (held === "outside") return <span class="note" data-testid="countdown">saved; press run, it has effects outside</span>;
  return null;
}

function Status({ cell, state }: { cell: Cell; state: Shown }) {
  const reason = reasonOf(cell);
  if (cell.type === "markdown") return <span class="status" data-testid="status" hidden>{state.word}</span>;
  return (
    <span class="status" data-testid="status" data-word={state.word} title={cell.reason?.message}>
      {reason && (
        <span class="reason">
          {reason.text} <CellLinks cells={reason.cells} />
        </span>
      )}
      <Icon name={state.icon} />
      <span class="word">{state.word}</span>
      {cell.status === "queued" && <QueuePlace cellId={cell.id} />}
      {cell.status === "running" && <Ticking key={cell.id} />}
      {cell.status === "success" && cell.seconds !== undefined && <span class="time">{duration(cell.seconds)}</span>}
    </span>
  );
}

/** Its turn in the run: 1 is next. */
function QueuePlace({ cellId }: { cellId: string }) {
  const place = useNotebook().store.queuePlace(cellId);
  return place === undefined ? null : <span class="time">({place})</span>;
}

const TICK = 100; // ms

function Ticking() {
  const seconds = useSignal(0);
  useEffect(() => {
    const start = Date.now();
    const timer = setInterval(() => (seconds.value = (Date.now() - start) / 1000), TICK);
    return () => clearInterval(timer);
  }, []);
  return <span class="time">{seconds.value < 0.5 ? "" : `${seconds.value.toFixed(1)} s`}</span>;
}

function Tools({ cell, number }: { cell: Cell; number: number }) {
  const notebook = useNotebook();
  const last = notebook.store.order.value.length;
  return (
    <span class="tools">
      {cell.type !== "markdown" && (
        <select
          class="mode" aria-label="Runs" value={cell.mode} title="When this cell runs"
          onChange={(event) => notebook.setCell(cell.id, { mode: event.currentTarget.value as CellMode })}
        >
          <option value="auto">Automatic</option>
          <option value="manual">Manual</option>
          <option value="disabled">Disabled</option>
        </select>
      )}
      <button aria-label="Move cell up" title="Move up" disabled={number === 1} onClick={() => notebook.moveCell(cell.id, -1)}>
        <Icon name="up" />
      </button>
      <button aria-label="Move cell down" title="Move down" disabled={number === last} onClick={() => notebook.moveCell(cell.id, 1)}>
        <Icon name="down" />
      </button>
      <button aria-label="Delete cell" title="Delete" onClick={() => notebook.deleteCell(cell.id)}>
        <Icon name="delete" />
      </button>
    </span>
  );
}
