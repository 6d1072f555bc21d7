/** Folds events into the state of one notebook: the rules of SPEC.md "Fold rules". Pure; knows no sockets, no signals. */

import type {
  Cell, CellStatus, Connection, DbConnectionUpdated, Edge, Event, Graph, Input, Kernel, KernelState, Member, NotebookInfo,
  Run, Snapshot, Status,
} from "./protocol";
import { bytesOf, omitted, withDisplay, withoutOutputs, withOutput, withStream, type Added, type Room } from "./output_log";

/** How far the present run is; `current` is the cell that runs. */
export interface Progress {
  runId: string;
  done: number;
  total: number;
  current?: string;
  expectedSeconds?: number;
}

export interface NotebookState {
  readonly epoch: string;
  readonly seq: number;
  readonly revision: number;
  readonly notebook: NotebookInfo;
  readonly order: readonly string[];
  readonly cells: ReadonlyMap<string, Cell>;
  readonly graph: Graph;
  readonly kernel: Kernel;
  readonly db: readonly Connection[];
  readonly clients: readonly Member[];
  readonly run: Run | undefined;
  readonly progress: Progress | undefined;
  readonly readOnly: string | undefined;
  readonly conflicts: readonly string[];
  /** What a cell waits for. */
  readonly input: Input | undefined;
  /** Cells whose outputs go at the next output, error or terminal status. */
  readonly clearing: ReadonlySet<string>;
  /** Bytes of the outputs of each cell that has any, and of all; those about to be cleared do not count. */
  readonly bytes: ReadonlyMap<string, number>;
  readonly totalBytes: number;
  /** The runs heard of, oldest first, and the last one that ended in each cell. */
  readonly runs: readonly string[];
  readonly ended: ReadonlyMap<string, string>;
}

const RUNS_KEPT = 1000; // run ids
const NO_KERNEL: ReadonlySet<KernelState> = new Set(["dead", "starting", "restarting"]);
const TERMINAL: ReadonlySet<Status> = new Set(["success", "error", "interrupted"]);

export function load(snapshot: Snapshot): NotebookState {
  const bytes = new Map(snapshot.cells.map((cell) => [cell.id, bytesOf(cell.outputs)]));
  return {
    epoch: snapshot.epoch,
    seq: snapshot.seq,
    revision: snapshot.revision,
    notebook: snapshot.notebook,
    order: snapshot.cells.map((cell) => cell.id),
    cells: new Map(snapshot.cells.map((cell) => [cell.id, cell])),
    graph: snapshot.graph,
    kernel: snapshot.kernel,
    db: snapshot.db,
    clients: snapshot.clients,
    run: snapshot.run,
    progress: snapshot.run && { runId: snapshot.run.runId, done: snapshot.run.done, total: snapshot.run.plan.length },
    readOnly: snapshot.readOnly,
    conflicts: [],
    input: snapshot.input,
    clearing: new Set(),
    bytes,
    totalBytes: [...bytes.values()].reduce((sum, one) => sum + one, 0),
    runs: snapshot.run ? [snapshot.run.runId] : [],
    ended: new Map(),
  };
}

/** The state after these events, in order. Cells that no event touched keep their identity. */
export function fold(state: NotebookState, events: readonly Event[]): NotebookState {
  const draft = new Draft(state);
  for (const event of events) draft.take(event);
  return draft.next;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Copies each collection once per batch, at the first change. */
class Draft {
  next: Mutable<NotebookState>;
  private owned = new Set<unknown>();

  constructor(state: NotebookState) {
    this.next = { ...state };
  }

  take(event: Event): void {
    this.next.seq = event.seq;
    switch (event.type) {
      case "cell_created":
        this.map("cells").set(event.cellId, event.cell);
        this.count(event.cellId, bytesOf(event.cell.outputs));
        return this.place(event.cellId, event.afterCellId, event.index);
      case "cell_updated":
        // The patch carries every field of a cell but its outputs: an optional field that is absent is gone.
        return this.change(event.cellId, ({ name: _n, connection: _c, result: _r, reason: _w, outsideEffects: _o, ...kept }) =>
          ({ ...kept, ...event.cell }));
      case "cell_deleted":
        this.count(event.cellId, 0);
        this.map("cells").delete(event.cellId);
        this.map("ended").delete(event.cellId);
        this.settleInput(event.cellId);
        this.next.order = this.next.order.filter((id) => id !== event.cellId);
        return;
      case "cell_moved":
        return this.next.cells.has(event.cellId) ? this.place(event.cellId, event.afterCellId, event.index) : undefined;
      case "cell_status":
        return this.status(event);
      case "cell_stdout":
        return this.append(event.cellId, (cell, room) => withStream(cell, event.stream, event.data, room));
      case "cell_output":
        return this.append(event.cellId, (cell, room) => withOutput(cell, event.output, room));
      case "cell_omitted":
        return this.append(event.cellId, (cell) => omitted(cell, event.bytes));
      case "cell_output_updated":
        for (const id of this.next.cells.keys())
          if (!this.next.clearing.has(id)) this.add(id, (cell, room) => withDisplay(cell, event.displayId, event.output, room));
        return;
      case "cell_outputs_cleared":
        return event.wait ? this.clearLater(event.cellId) : this.clear(event.cellId);
      case "cell_error":
        return this.append(event.cellId, (cell, room) => {
          const { cell: longer, bytes } = withOutput(cell, { kind: "error", index: 0, ...event.error }, room);
          return { cell: { ...longer, error: event.error }, bytes };
        });
      case "graph:node-created":
      case "comm":
      case "command:executing":
      case "command:failed":
        return;
      case "graph:node-deleted":
        return this.edges((edges) => edges.filter((edge) => edge.from !== event.cellId && edge.to !== event.cellId));
      case "graph:node-linked": {
        const { from, to, names, learned } = event;
        const edge: Edge = learned === undefined ? { from, to, names } : { from, to, names, learned };
        return this.edges((edges) => [...edges.filter((other) => other.from !== from || other.to !== to), edge]);
      }
      case "graph:node-unlinked":
        return this.edges((edges) => edges.filter((edge) => edge.from !== event.from || edge.to !== event.to));
      case "graph:property-changed":
        return this.property(event.property, event.value, event.cellId);
      case "graph:property-deleted":
        return this.property(event.property, [], event.cellId);
      case "graph:replaced":
        this.next.graph = event.graph;
        return;
      case "command:executed":
      case "command:undo":
      case "command:redo":
        this.next.revision = Math.max(this.next.revision, event.revision);
        return;
      case "session:connected":
      case "session:disconnected":
      case "session:moved":
        this.next.clients = event.clients;
        return;
      case "project:saved":
        this.next.conflicts = [];
        this.next.notebook = { ...this.next.notebook, path: event.path };
        return;
      case "project:loaded":
        this.next.notebook = { ...this.next.notebook, path: event.path };
        this.next.graph = event.graph;
        return;
      case "project:changed_on_disk":
        this.next.conflicts = event.conflicts;
        return;
      case "project:settings":
        this.next.notebook = { ...this.next.notebook, name: event.name, settings: event.settings };
        return;
      case "kernel_status": {
        const { state, pid, queue, kernelCause: cause } = event;
        this.next.kernel = {
          state,
          ...(pid !== undefined && { pid }),
          ...(queue !== undefined && { queue }),
          ...(cause !== undefined && { cause }),
        };
        if (NO_KERNEL.has(state)) this.next.input = undefined;
        return;
      }
      case "input_requested":
        if (!this.next.cells.has(event.cellId)) return;
        this.next.input = { cellId: event.cellId, prompt: event.prompt, password: event.password, requestId: event.requestId };
        return;
      case "input_answered":
        if (this.next.input?.requestId === event.requestId) this.next.input = undefined;
        return;
      case "run_started": {
        const { runId, plan, mode, expectedSeconds } = event;
        this.heard(runId);
        this.next.run = { runId, plan, done: 0, mode };
        this.next.progress = { runId, done: 0, total: plan.length, ...(expectedSeconds !== undefined && { expectedSeconds }) };
        return;
      }
      case "run_progress":
        if (this.next.run?.runId !== event.runId) return;
        this.next.run = { ...this.next.run, done: event.done };
        this.next.progress = { ...this.next.progress, runId: event.runId, done: event.done, total: event.total, current: event.cellId };
        return;
      case "run_finished":
        if (this.next.run?.runId !== event.runId) return;
        this.next.run = undefined;
        this.next.progress = undefined;
        return;
      case "db_connection_updated":
        return this.connection(event);
      case "read_only":
        this.next.readOnly = event.reason;
        return;
      default:
        event satisfies never; // a newer gateway may send types this page does not know: they only count
    }
  }

  private map<K extends "cells" | "ended" | "bytes">(key: K): Map<string, NotebookState[K] extends ReadonlyMap<string, infer V> ? V : never> {
    if (!this.owned.has(this.next[key])) {
      const copy = new Map(this.next[key] as ReadonlyMap<string, never>);
      this.owned.add(copy);
      (this.next as Record<K, unknown>)[key] = copy;
    }
    return this.next[key] as never;
  }

  private set(key: "clearing"): Set<string> {
    if (!this.owned.has(this.next[key])) {
      const copy = new Set(this.next[key]);
      this.owned.add(copy);
      this.next[key] = copy;
    }
    return this.next[key] as Set<string>;
  }

  private change(cellId: string, edit: (cell: Cell) => Cell): void {
    const cell = this.next.cells.get(cellId);
    if (cell) this.map("cells").set(cellId, edit(cell));
  }

  private place(cellId: string, afterCellId: string | null, index: number): void {
    const order = this.next.order.filter((id) => id !== cellId);
    const after = afterCellId === null ? -1 : order.indexOf(afterCellId);
    order.splice(afterCellId !== null && after < 0 ? index : after + 1, 0, cellId);
    this.next.order = order;
  }

  private status(event: CellStatus): void {
    const { cellId, status, runId } = event;
    if (runId !== undefined) {
      this.heard(runId);
      if ((status === "queued" || status === "running") && this.olderThanEnded(cellId, runId)) return;
      if (TERMINAL.has(status)) this.map("ended").set(cellId, runId);
    }
    if (TERMINAL.has(status)) {
      if (this.next.clearing.has(cellId)) this.clear(cellId);
      this.settleInput(cellId);
    }
    this.change(cellId, ({ reason: _, ...cell }) => ({
      ...cell,
      status,
      ...(event.reason && { reason: event.reason }),
      ...(event.seconds !== undefined && { seconds: event.seconds }),
      ...(event.executionCount !== undefined && { executionCount: event.executionCount }),
    }));
    if (status === "running" && this.next.progress) this.next.progress = { ...this.next.progress, current: cellId };
  }

  private settleInput(cellId: string): void {
    if (this.next.input?.cellId === cellId) this.next.input = undefined;
  }

  private heard(runId: string): void {
    if (!this.next.runs.includes(runId)) this.next.runs = [...this.next.runs, runId].slice(-RUNS_KEPT);
  }

  private olderThanEnded(cellId: string, runId: string): boolean {
    const ended = this.next.ended.get(cellId);
    return ended !== undefined && this.next.runs.indexOf(runId) < this.next.runs.indexOf(ended);
  }

  private append(cellId: string, edit: (cell: Cell, room: Room) => Added): void {
    if (this.next.clearing.has(cellId)) this.clear(cellId);
    this.add(cellId, edit);
  }

  private add(cellId: string, edit: (cell: Cell, room: Room) => Added | undefined): void {
    const cell = this.next.cells.get(cellId);
    const used = this.next.bytes.get(cellId) ?? 0;
    const added = cell && edit(cell, { cell: used, notebook: this.next.totalBytes });
    if (!added) return;
    this.map("cells").set(cellId, added.cell);
    this.count(cellId, used + added.bytes);
  }

  private count(cellId: string, bytes: number): void {
    const before = this.next.bytes.get(cellId) ?? 0;
    if (bytes === before) return;
    this.map("bytes").set(cellId, bytes);
    this.next.totalBytes += bytes - before;
  }

  private clearLater(cellId: string): void {
    if (!this.next.cells.has(cellId)) return;
    this.set("clearing").add(cellId);
    this.count(cellId, 0);
  }

  private clear(cellId: string): void {
    if (this.next.clearing.has(cellId)) this.set("clearing").delete(cellId);
    this.count(cellId, 0);
    this.change(cellId, withoutOutputs);
  }

  private edges(edit: (edges: Edge[]) => Edge[]): void {
    this.next.graph = { ...this.next.graph, edges: edit(this.next.graph.edges) };
  }

  private property(property: string, value: unknown, cellId: string | undefined): void {
    if (cellId === undefined) {
      if (property === "cycles" || property === "version") this.next.graph = { ...this.next.graph, [property]: value };
    } else if (property === "reads" || property === "writes") {
      this.change(cellId, (cell) => ({ ...cell, [property]: value }));
    }
  }

  private connection(event: DbConnectionUpdated): void {
    // After a failed change the former connection is still in force, and so is its dialect.
    const former = this.next.db.find((one) => one.name === event.name);
    const dialect = event.status === "error" ? former?.dialect : event.dialect;
    const now: Connection = {
      name: event.name,
      status: event.status,
      connectionString: event.inForce,
      ...(dialect !== undefined && { dialect }),
      ...(event.error && { error: event.error }),
      ...(event.seconds !== undefined && { seconds: event.seconds }),
      ...(event.note !== undefined && { note: event.note }),
    };
    this.next.db = former ? this.next.db.map((one) => (one.name === event.name ? now : one)) : [...this.next.db, now];
  }
}
