/** Holds the state of one notebook as signals: one per cell, one batch per animation frame. Knows no sockets. */

import { batch, computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";

import { fold, load, type NotebookState } from "./fold";
import type { Cell, Event, Snapshot } from "./protocol";

/** Called after each batch, with the events it held and the states around them. */
export type Folded = (events: readonly Event[], before: NotebookState, after: NotebookState) => void;

const HIDDEN_FRAME = 100; // ms: a hidden tab gets no animation frames

export class Store {
  readonly order = signal<readonly string[]>([]);
  readonly cells = new Map<string, Signal<Cell>>();
  /** Parts of the state that views watch: each tells only when it really changed. */
  readonly info = this.part((state) => state.notebook);
  readonly kernel = this.part((state) => state.kernel);
  readonly db = this.part((state) => state.db);
  readonly clients = this.part((state) => state.clients);
  readonly progress = this.part((state) => state.progress);
  private readonly run = this.part((state) => state.run);
  private readonly planned = computed(() => this.run.value?.plan);
  private readonly turns = computed(() => new Map((this.planned.value ?? []).map((cellId, turn) => [cellId, turn])));
  readonly edges = this.part((state) => state.graph.edges);
  readonly input = this.part((state) => state.input);
  readonly readOnly = this.part((state) => state.readOnly);
  readonly conflicts = this.part((state) => state.conflicts);
  private readonly whole: Signal<NotebookState>;
  private pending: Event[] = [];
  private cancelFrame: (() => void) | undefined;
  private lastSeq: number;
  private readonly listeners = new Set<Folded>();

  constructor(snapshot: Snapshot) {
    this.whole = signal(load(snapshot));
    this.lastSeq = snapshot.seq;
    this.spread(this.whole.value);
  }

  /** The whole state now. It changes with every batch, so views watch the parts and `cell(id)` instead. */
  get now(): NotebookState {
    return this.whole.peek();
  }

  cell(id: string): ReadonlySignal<Cell> | undefined {
    return this.cells.get(id);
  }

  /** The position that a reconnecting client holds: the last event taken, folded or not. */
  get since(): { epoch: string; seq: number } {
    return { epoch: this.whole.peek().epoch, seq: this.lastSeq };
  }

  /** Which turn of the newest run, from 1, a queued cell has; undefined when it is none of its cells. Read from signals. */
  queuePlace(cellId: string): number | undefined {
    const turn = this.turns.value.get(cellId);
    const done = this.run.value?.done ?? 0;
    return turn === undefined || turn < done ? undefined : Math.max(turn - done, 1);
  }

  /** Take one event. False if it leaves a gap: the caller must fetch what is missing. */
  take(event: Event): boolean {
    if (event.seq <= this.lastSeq) return true; // replayed and already here
    if (event.seq > this.lastSeq + 1) return false;
    this.lastSeq = event.seq;
    this.pending.push(event);
    // An event with the document's hash ends its batch, so that the state it speaks of can be looked at.
    if (event.hash !== undefined) this.flush();
    else this.cancelFrame ??= nextFrame(() => this.flush());
    return true;
  }

  /** The events up to `seq` hold nothing for this client. */
  advance(seq: number): void {
    this.lastSeq = Math.max(this.lastSeq, seq);
  }

  reload(snapshot: Snapshot): void {
    this.cancelFrame?.();
    this.cancelFrame = undefined;
    this.pending = [];
    const before = this.whole.peek();
    const after = load(snapshot);
    this.lastSeq = snapshot.seq;
    this.spread(after);
    this.tell([], before, after);
  }

  /** Fold what is waiting now, without waiting for the frame. */
  flush(): void {
    this.cancelFrame?.();
    this.cancelFrame = undefined;
    if (this.pending.length === 0) return;
    const events = this.pending;
    this.pending = [];
    const before = this.whole.peek();
    const after = fold(before, events);
    this.spread(after);
    this.tell(events, before, after);
  }

  onFold(listener: Folded): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private part<T>(pick: (state: NotebookState) => T): ReadonlySignal<T> {
    return computed(() => pick(this.whole.value));
  }

  private tell(events: readonly Event[], before: NotebookState, after: NotebookState): void {
    for (const listener of this.listeners) listener(events, before, after);
  }

  private spread(state: NotebookState): void {
    batch(() => {
      for (const [id, cell] of state.cells) {
        const known = this.cells.get(id);
        if (known) known.value = cell;
        else this.cells.set(id, signal(cell));
      }
      this.order.value = state.order;
      this.whole.value = state;
    });
    for (const id of [...this.cells.keys()]) if (!state.cells.has(id)) this.cells.delete(id);
  }
}

/** Runs once, at the next frame or, in a hidden tab, soon. Returns what cancels it. */
function nextFrame(run: () => void): () => void {
  const frame = requestAnimationFrame(run);
  const timer = setTimeout(run, HIDDEN_FRAME);
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
  };
}
