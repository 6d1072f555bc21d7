/** One open notebook of this tab: joins store, connection, outbox and drafts, and offers the commands a view can give. */

import { effect, signal } from "@preact/signals";

import { type Missed, missed } from "./absence";
import { announce } from "./announcer";
import { Connection, type Frame, type Socket, type Timers } from "./connection";
import { codeHash, documentHash } from "./document_hash";
import { Draft } from "./draft";
import type { NotebookState } from "./fold";
import { Outbox, type NewCommand } from "./outbox";
import type { Ack, Cell, CellType, Command, Conflict, Error as Refusal, Event, SetCell, SetNotebook, Snapshot } from "./protocol";
import { clientFor, HttpError, pageKey, randomId, rest } from "./session";
import { Store } from "./store";
import { Mailbox } from "./widgets/mailbox";

/** edit: the keys write in the editor. command: they act on the cell. */
export type Mode = "edit" | "command";
export type PanelName = "outline" | "variables" | "graph" | "schema" | "messages";

/** What a mounted cell lets the notebook do with it. */
export interface CellHandle {
  /** The editor takes the keys. */
  focus(): void;
  /** The cell itself takes the keys. */
  select(): void;
  setText(text: string): void;
}

const AT_REST = 300; // ms on a cell before others are told
const DIVERGED_EVERY = 30_000; // ms between two reloads because of a differing hash

const timers: Timers = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
};

export class Notebook {
  readonly store: Store;
  readonly connection: Connection;
  readonly outbox: Outbox;
  readonly widgets: Mailbox;
  /** Set while the gateway turns us away: not_logged_in, unknown_notebook. */
  readonly refused = signal<{ code: string; message: string } | undefined>(undefined);
  readonly announcement = signal("");
  readonly focused = signal<string | undefined>(undefined);
  /** A deletion of this tab that is the last thing it did to the document: undo takes it back. */
  readonly deletion = signal<string | undefined>(undefined);
  /** Cells with effects outside that "Run all" would run too: a person is asked. */
  readonly asksToRun = signal<readonly string[] | undefined>(undefined);
  /** Texts of this tab that somebody else's replaced, by cell, until a person has chosen. */
  readonly lostTexts = signal<ReadonlyMap<string, Conflict>>(new Map());
  /** What differs from before the connection was lost, until a person has read it. */
  readonly missed = signal<Missed | undefined>(undefined);
  /** When the file was last written, in ms since the epoch. */
  readonly savedAt = signal<number | undefined>(undefined);
  readonly asksToRestart = signal(false);
  readonly panel = signal<PanelName | undefined>(undefined);
  readonly overlay = signal<"palette" | "help" | undefined>(undefined);
  /** The cell that had the focus last, also when the focus is in a panel or nowhere. */
  selected: string | undefined;
  private readonly drafts = new Map<string, Draft>();
  private readonly handles = new Map<string, CellHandle>();
  private readonly goTo = new Map<string, Mode>(); // commands whose cell, or the one after it, takes the focus
  private readonly settleAt = new Map<string, number>();
  private wantsFocus: { cellId: string; mode: Mode } | undefined;
  private readonly questions = new Map<string, (result: Record<string, unknown> | undefined) => void>();
  private told: string | undefined; // the cell that everybody believes this tab is on
  private startOver = false;
  private beforeLoss: NotebookState | undefined;
  private divergedAt = -Infinity;
  /** Somebody asked for a new kernel: what the old one takes with it is no surprise. */
  private agreed = "";

  static async open(id: string): Promise<Notebook> {
    const [snapshot, client] = await Promise.all([
      rest<Snapshot>("GET", `/api/v1/notebooks/${encodeURIComponent(id)}`),
      clientFor(id),
    ]);
    return new Notebook(id, client, snapshot);
  }

  private constructor(
    readonly id: string,
    readonly client: string,
    snapshot: Snapshot,
  ) {
    this.store = new Store(snapshot);
    this.widgets = new Mailbox(this.store);
    this.connection = new Connection(
      {
        ...timers,
        open: () => {
          const { protocol, host } = location;
          const url = `${protocol === "https:" ? "wss" : "ws"}://${host}/api/v1/ws/notebook/${encodeURIComponent(id)}`;
          return new WebSocket(url, "tailrace.v1.json") as unknown as Socket; // its handlers take more than we use
        },
        random: Math.random,
        visible: () => document.visibilityState === "visible",
      },
      {
        attach: () => ({
          client,
          batch: true,
          ...(pageKey() !== undefined && { key: pageKey()! }),
          ...(!this.startOver && { since: this.store.since }),
        }),
        frame: (frame) => this.frame(frame),
        live: () => this.live(),
        lost: () => this.lost(),
        refused: (code, message) => (this.refused.value = { code, message }),
      },
    );
    this.outbox = new Outbox(
      timers,
      sessionStorage,
      `tailrace.outbox.${client}`,
      (frame) => this.connection.send(frame),
      (frame, answer) => this.answered(frame, answer),
      randomId,
    );
    this.store.onFold((events, before, after) => this.folded(events, before, after));
    addEventListener("online", () => this.connection.wake());
    addEventListener("offline", () => this.connection.wake());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.connection.wake();
      else this.saveAll();
    });
    addEventListener("pagehide", () => this.saveAll());
    let cancel = (): void => undefined;
    effect(() => {
      const at = this.focused.value;
      cancel();
      cancel = timers.after(AT_REST, () => this.tellPlace(at));
    });
    this.connection.start();
  }

  /** Others see which cell this tab is on. Not a command to be kept: the next one says it anew. */
  private tellPlace(cellId: string | undefined): void {
    const known = cellId !== undefined && this.store.cell(cellId) ? cellId : undefined;
    const place = known === undefined ? {} : { cellId: known };
    if (known !== this.told && this.connection.send({ type: "presence", id: randomId(), ...place })) this.told = known;
  }

  // Commands

  createCell(cellType: CellType, afterCellId: string | null, mode: Mode = "edit", code?: string): void {
    this.goTo.set(this.edit({ type: "create_cell", cellType, afterCellId, ...(code !== undefined && { code }) }), mode);
  }

  /** Put these cells into a notebook that has at most one cell, an empty one. */
  fill(cells: readonly (readonly [CellType, string])[]): void {
    const [only] = this.store.order.peek();
    const [first, ...rest] = cells;
    const added = only === undefined ? cells : rest;
    if (only !== undefined && first) {
      if (this.cell(only)?.type !== first[0]) this.setCell(only, { cellType: first[0] });
      this.setCode(only, first[1]);
    }
    for (const [type, code] of [...added].reverse()) this.edit({ type: "create_cell", cellType: type, afterCellId: only ?? null, code });
  }

  deleteCell(cellId: string, mode: Mode = "edit"): void {
    this.drafts.get(cellId)?.sent(); // what was typed goes with the cell
    this.goTo.set(this.edit({ type: "delete_cell", cellId }), mode);
  }

  /** Take back the last thing that this tab did to the document, text of a cell included. */
  undo(): void {
    this.saveAll();
    this.edit({ type: "undo" });
  }

  redo(): void {
    this.edit({ type: "redo" });
  }

  save(): void {
    this.saveAll();
    this.outbox.add({ type: "save" });
  }

  /** What was lost in a conflict becomes the cell's text again, or is let go. */
  settleConflict(cellId: string, takeBack: boolean): void {
    const lost = this.lostTexts.peek().get(cellId);
    this.lostTexts.value = new Map([...this.lostTexts.peek()].filter(([id]) => id !== cellId));
    if (lost && takeBack) this.setCode(cellId, lost.yours);
  }

  /** Give a cell another text, as if it had been typed. */
  setCode(cellId: string, code: string): void {
    const draft = this.draft(cellId);
    if (!draft) return;
    draft.input(code);
    draft.blur();
    this.handles.get(cellId)?.setText(code);
  }

  /** `by` is -1 for up, 1 for down; does nothing at the ends. */
  moveCell(cellId: string, by: -1 | 1): void {
    const order = this.store.order.peek();
    const to = order.indexOf(cellId) + by;
    if (to < 0 || to >= order.length) return;
    const rest = order.filter((id) => id !== cellId);
    this.edit({ type: "move_cell", cellId, afterCellId: rest[to - 1] ?? null });
  }

  setCell(cellId: string, change: Omit<SetCell, "type" | "id" | "cellId">): void {
    this.draft(cellId)?.blur(); // the type is changed of what is on the screen
    this.edit({ type: "set_cell", cellId, ...change });
  }

  setNotebook(change: Omit<SetNotebook, "type" | "id">): void {
    this.edit({ type: "set_notebook", ...change });
  }

  runCell(cellId: string): void {
    const draft = this.draft(cellId);
    const cell = this.cell(cellId);
    if (!draft || !cell) return;
    const code = draft.sent();
    if (cell.type === "markdown") {
      if (code !== cell.code) this.edit({ type: "cell_update", cellId, code });
    } else if (code !== cell.code) {
      this.edit({ type: "run_cell", cellId, code });
    } else {
      this.outbox.add({ type: "run_cell", cellId });
    }
  }

  /** Run, then go to the next cell, or to a new one at the end. */
  runAndAdvance(cellId: string): void {
    this.runCell(cellId);
    const order = this.store.order.peek();
    const next = order[order.indexOf(cellId) + 1];
    if (next !== undefined) this.focus(next);
    else this.createCell("python", cellId);
  }

  runAndInsert(cellId: string): void {
    this.runCell(cellId);
    this.createCell("python", cellId);
  }

  /** Cells that write outside the notebook, in document order. */
  cellsWithOutsideEffects(): string[] {
    const { order, cells } = this.store.now;
    return order.filter((id) => cells.get(id)?.outsideEffects?.length && cells.get(id)?.mode !== "disabled");
  }

  /** Asks first, once for each set of cells that act outside; `agreed` are those that somebody just said yes to. */
  runAll(agreed?: readonly string[]): void {
    const outside = this.cellsWithOutsideEffects();
    if (agreed) this.agreed = agreed.join();
    if (outside.length > 0 && this.agreed !== outside.join()) {
      this.asksToRun.value = outside;
      return;
    }
    this.saveAll();
    this.outbox.add({ type: "run_all" });
  }

  runStale(): void {
    this.saveAll();
    this.outbox.add({ type: "run_stale" });
  }

  /** Stops whatever runs and waits: the newest run may only be waiting behind the one a person wants to stop. */
  interrupt(): void {
    this.outbox.add({ type: "interrupt" });
  }

  /** Asks first when there are values to lose; `agreed`: somebody just said yes. */
  restartKernel(agreed = false): void {
    const { cells, kernel } = this.store.now;
    const values = kernel.state !== "dead" && [...cells.values()].some(({ status, writes }) => (status === "success" || status === "running") && writes.length > 0);
    this.asksToRestart.value = values && !agreed;
    if (!this.asksToRestart.peek()) this.outbox.add({ type: "restart_kernel" });
  }

  /** Null goes back to the embedded database. */
  connectDatabase(connectionString: string | null): string {
    return this.outbox.add({ type: "update_db_connection", connectionString });
  }

  answerInput(cellId: string, requestId: string, value: string): void {
    this.outbox.add({ type: "stdin_reply", cellId, requestId, value });
  }

  /** Completions from the running kernel; undefined when there are none to be had. Positions count code points. */
  complete(cellId: string, code: string, cursor: number): Promise<Record<string, unknown> | undefined> {
    const idle = this.store.now.kernel.state === "idle" && this.connection.state.peek() === "live";
    if (!idle || this.questions.size > 0) return Promise.resolve(undefined); // never a queue of guesses behind a busy kernel
    return this.ask({ type: "complete", cellId, code, cursor });
  }

  /** Ask something that changes nothing; undefined when there is no answer to be had. */
  ask(question: NewCommand): Promise<Record<string, unknown> | undefined> {
    return new Promise((resolve) => this.questions.set(this.outbox.add(question, true), resolve));
  }

  /** Try again what was refused or not answered; an edit is sent as the editor has it now. */
  retry(problemId: string, command: Command["type"], cellId: string): void {
    if (command === "cell_update" && !this.outbox.has(problemId)) {
      this.outbox.dismiss(problemId);
      this.saveCode(cellId, this.draft(cellId)?.sent() ?? "");
    } else {
      this.outbox.retry(problemId);
    }
  }

  saveAll(): void {
    for (const draft of this.drafts.values()) draft.blur();
  }

  // Text and focus

  draft(cellId: string): Draft | undefined {
    const cell = this.cell(cellId);
    const known = this.drafts.get(cellId);
    if (known || !cell) return known;
    const draft = new Draft(
      {
        ...timers,
        save: (text) => this.saveCode(cellId, text),
        runIfStill: (text) => void this.runIfStill(cellId, text),
        mayRun: () => this.store.now.notebook.settings.autoRun && this.connection.state.peek() === "live",
        cell: () => this.cell(cellId),
      },
      this.outbox.codeFor(cellId) ?? cell.code,
    );
    this.drafts.set(cellId, draft);
    return draft;
  }

  mounted(cellId: string, handle: CellHandle): () => void {
    this.handles.set(cellId, handle);
    if (this.wantsFocus?.cellId === cellId) this.focus(cellId, this.wantsFocus.mode);
    return () => {
      if (this.handles.get(cellId) === handle) this.handles.delete(cellId);
    };
  }

  /** Focus the editor of a cell, or the cell itself, now or as soon as it is there. */
  focus(cellId: string, mode: Mode = "edit"): void {
    const handle = this.handles.get(cellId);
    this.wantsFocus = handle ? undefined : { cellId, mode };
    if (mode === "edit") handle?.focus();
    else handle?.select();
  }

  private cell(cellId: string): Cell | undefined {
    return this.store.cell(cellId)?.peek();
  }

  private saveCode(cellId: string, code: string): void {
    if (this.outbox.codeFor(cellId) === undefined && this.cell(cellId)?.code === code) return;
    const baseVersion = this.drafts.get(cellId)?.baseVersion;
    this.edit({ type: "cell_update", cellId, code, ...(baseVersion !== undefined && { baseVersion }) });
  }

  /** A command that changes the document: undo would now mean this one. */
  private edit(command: NewCommand): string {
    this.deletion.value = undefined;
    return this.outbox.add(command);
  }

  private async runIfStill(cellId: string, text: string): Promise<void> {
    const hash = await codeHash(text);
    if (this.drafts.get(cellId)?.text !== text) return;
    const command: NewCommand = { type: "run_cell", cellId, ...(hash !== undefined && { codeHash: hash }) };
    this.outbox.add(command, true);
  }

  // What comes in

  private frame(frame: Frame): void {
    switch (frame.type) {
      case "ack":
        return this.outbox.ack(frame);
      case "error":
        return this.outbox.refuse(frame);
      case "snapshot":
        this.startOver = false;
        return this.store.reload(frame);
      case "resync":
        this.startOver = true;
        return;
      case "position":
        return this.store.advance(frame.seq);
      case "pong":
        return;
      case "conflict":
        this.lostTexts.value = new Map(this.lostTexts.peek()).set(frame.cellId, frame);
        return;
      default:
        // A gap: what is missing is asked for by attaching again from the last event held.
        if (!this.startOver && !this.store.take(frame)) this.connection.reattach("An event was missing.");
    }
  }

  private live(): void {
    this.refused.value = undefined;
    this.store.flush();
    this.told = undefined;
    this.tellPlace(this.focused.peek());
    const before = this.beforeLoss;
    this.beforeLoss = undefined;
    if (before) this.missed.value = missed(before, this.store.now, (id) => this.outbox.codeFor(id) !== undefined);
    this.outbox.online();
  }

  private lost(): void {
    this.beforeLoss ??= this.connection.reconnects.peek() > 0 ? this.store.now : undefined;
    this.outbox.offline();
    for (const [id, answer] of this.questions) {
      this.outbox.forget(id);
      answer(undefined);
    }
    this.questions.clear();
    for (const draft of this.drafts.values()) draft.cancel();
    if (this.connection.failures.peek() > 1) void this.findOutWhy();
  }

  /** A refused upgrade looks like a dead network to a script; a small request tells them apart. */
  private async findOutWhy(): Promise<void> {
    try {
      await rest("GET", "/api/v1/notebooks");
    } catch (error) {
      if (error instanceof HttpError && error.status === 401) this.refused.value = { code: error.code, message: error.message };
    }
  }

  private answered(frame: Command, answer: Ack | Refusal): void {
    this.questions.get(frame.id)?.(answer.type === "ack" ? answer.result : undefined);
    this.questions.delete(frame.id);
    if (!("cellId" in frame) || frame.cellId === undefined) return;
    if (answer.type === "ack") {
      if (frame.type === "cell_update" || frame.type === "run_cell") this.settleAt.set(frame.cellId, answer.seq);
    } else if (frame.type === "cell_update" || (frame.type === "run_cell" && frame.code !== undefined)) {
      this.drafts.get(frame.cellId)?.unsaved();
    }
  }

  private folded(events: readonly Event[], before: NotebookState, after: NotebookState): void {
    for (const [cellId, draft] of this.drafts) {
      const cell = after.cells.get(cellId);
      if (!cell) {
        draft.cancel();
        this.drafts.delete(cellId);
        continue;
      }
      if (cell === before.cells.get(cellId)) continue;
      const settled = this.outbox.codeFor(cellId) === undefined && after.seq >= (this.settleAt.get(cellId) ?? 0);
      const text = draft.received(cell, settled);
      if (text !== undefined) this.handles.get(cellId)?.setText(text);
    }
    for (const event of events) {
      this.follow(event, before);
      if (event.type === "project:saved") this.savedAt.value = event.ts * 1_000;
      if (event.type === "cell_deleted" && event.cause?.client === this.client) this.deletion.value = event.cause.id;
    }
    const said = announce(events, after);
    if (said !== undefined) this.announcement.value = said;
    const last = events.at(-1);
    if (last?.hash !== undefined && last.type !== "project:saved") void this.compare(after, last.hash);
  }

  /** Move the focus with the cells that this tab creates, and away from one that goes. */
  private follow(event: Event, before: NotebookState): void {
    if (event.type === "cell_created" && event.cause?.client === this.client && this.goTo.has(event.cause.id)) {
      this.focus(event.cellId, this.goTo.get(event.cause.id));
      this.goTo.delete(event.cause.id);
    } else if (event.type === "command:failed" && event.client === this.client) {
      if (event.code !== "interrupted") this.outbox.failedLater(event); // somebody asked for the interrupt or the restart
    } else if (event.type === "cell_deleted" && this.focused.peek() === event.cellId) {
      const order = this.store.order.peek();
      const at = before.order.indexOf(event.cellId);
      const next = [...before.order.slice(at + 1), ...before.order.slice(0, Math.max(at, 0)).reverse()].find((id) => order.includes(id));
      this.focused.value = undefined;
      if (next !== undefined) this.focus(next, this.goTo.get(event.cause?.id ?? "") ?? "edit");
    }
  }

  private async compare(state: NotebookState, hash: string): Promise<void> {
    const ours = await documentHash(state);
    if (ours === undefined || ours === hash || timers.now() - this.divergedAt < DIVERGED_EVERY) return;
    this.divergedAt = timers.now();
    console.warn(`The document differs from the gateway's at event ${state.seq}: loading it again.`);
    this.startOver = true;
    this.connection.reattach("The document differed from the gateway's.");
  }
}
