/** One open notebook of this tab: joins store, connection, outbox and drafts, and offers the commands a view can give. */

import { effect, signal } from "@preact/signals";

import { Absence, type Missed, missed } from "./absence";
import { announce } from "./announcer";
import { holdsValues } from "./cell_state";
import { Connection, type Frame, type Socket, type Timers } from "./connection";
import { documentHash } from "./document_hash";
import type { Draft } from "./draft";
import { Drafts } from "./drafts";
import type { Finding, Found } from "./found";
import { type CellHandle, Focus, type Mode, type Stretch } from "./focus";
import type { NotebookState } from "./fold";
import { Outbox, type NewCommand } from "./outbox";
import type { Ack, Cell, CellType, Command, Error as Refusal, Event, SetCell, SetNotebook, Snapshot } from "./protocol";
import { personName } from "./person";
import { Questions } from "./questions";
import { clientFor, HttpError, pageKey, randomId, rest } from "./session";
import { Store } from "./store";
import { Typeahead } from "./typeahead";
import { Mailbox } from "./widgets/mailbox";

export type OverlayName = "palette" | "help" | "rename" | "person";
export type PanelName = "outline" | "variables" | "graph" | "schema" | "messages";

const INSPECT_PATIENCE = 2_000; // ms that a question waits for a running cell or another question
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
  readonly focusing: Focus;
  readonly typeahead = new Typeahead(timers, (event) => this.focusing.handle(this.selected ?? "")?.press?.(event));
  readonly drafts: Drafts;
  readonly questions: Questions;
  /** The last thing this tab did to the document, where a way back is offered: undo takes it back. */
  readonly undoable = signal<{ id: string; text: string } | undefined>(undefined);
  /** Cells with effects outside that "Run all" would run too: a person is asked. */
  readonly asksToRun = signal<readonly string[] | undefined>(undefined);
  /** What differs from before the connection was lost, until a person has read it. */
  readonly missed = signal<Missed | undefined>(undefined);
  /** When the file was last written, in ms since the epoch. */
  readonly savedAt = signal<number | undefined>(undefined);
  readonly asksToRestart = signal(false);
  readonly panel = signal<PanelName | undefined>(undefined);
  readonly overlay = signal<OverlayName | undefined>(undefined);
  readonly found = signal<Found | undefined>(undefined);
  /** Set while the find bar is open: what it was last asked for. */
  readonly finding = signal<Finding | undefined>(undefined);
  /** The name that the dialog for renaming begins with; empty: a person writes it. */
  renames = "";
  private told: string | undefined; // the cell that everybody believes this tab is on
  private startOver = false;
  private readonly absence = new Absence();
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
          ...(personName.peek() !== "" && { name: personName.peek() }),
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
    this.focusing = new Focus(client);
    this.questions = new Questions(this.outbox);
    this.drafts = new Drafts(
      {
        ...timers,
        cell: (cellId) => this.cell(cellId),
        mayRun: () => this.store.now.notebook.settings.autoRun && this.connection.state.peek() === "live",
        edit: (command) => void this.edit(command),
        show: (cellId, text) => this.focusing.handle(cellId)?.setText(text),
      },
      this.outbox,
    );
    this.store.onFold((events, before, after) => this.folded(events, before, after));
    addEventListener("online", () => this.connection.wake());
    addEventListener("offline", () => this.connection.wake());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.connection.wake();
      else this.drafts.saveAll();
    });
    addEventListener("pagehide", () => this.drafts.saveAll());
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
    this.focusing.goWith(this.edit({ type: "create_cell", cellType, afterCellId, ...(code !== undefined && { code }) }), mode);
    if (mode === "edit" && this.connection.state.peek() === "live") this.typeahead.hold(); // what is typed on is the new cell's
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
    this.drafts.drop(cellId);
    this.focusing.goWith(this.edit({ type: "delete_cell", cellId }), mode);
  }

  /** Take back the last thing that this tab did to the document, text of a cell included. */
  undo(): void {
    this.drafts.saveAll();
    this.focusing.goWith(this.edit({ type: "undo" }), "command"); // the next key must not become code
  }

  redo(): void {
    this.focusing.goWith(this.edit({ type: "redo" }), "command");
  }

  save(): void {
    this.drafts.saveAll();
    this.outbox.add({ type: "save" });
  }

  /** What was lost in a conflict becomes the cell's text again, or is let go. */
  settleConflict(cellId: string, takeBack: boolean): void {
    const lost = this.drafts.settled(cellId);
    if (lost && takeBack) this.setCode(cellId, lost.yours);
  }

  /** Give a cell another text, as if it had been typed. */
  setCode(cellId: string, code: string): void {
    const draft = this.draft(cellId);
    if (!draft) return;
    draft.input(code);
    draft.blur();
    this.focusing.handle(cellId)?.setText(code);
  }

  /** Give several cells another text, as one step to undo. */
  rewrite(texts: ReadonlyMap<string, string>): void {
    this.drafts.rewrite(texts);
  }

  /** Say what the newest change of the document was, with a way back. */
  tellUndoable(text: string): void {
    this.undoable.value = { id: randomId(), text };
    this.announcement.value = text;
  }

  /** Ask for a new name for this one, or for any. */
  startRenaming(name: string | undefined): void {
    this.renames = name ?? "";
    this.overlay.value = "rename";
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
    this.drafts.saveAll();
    this.outbox.add({ type: "run_all" });
  }

  runStale(): void {
    this.drafts.saveAll();
    this.outbox.add({ type: "run_stale" });
  }

  /** Stops whatever runs and waits: the newest run may only be waiting behind the one a person wants to stop. */
  interrupt(): void {
    this.outbox.add({ type: "interrupt" });
  }

  /** Asks first when there are values to lose; `agreed`: somebody just said yes. */
  restartKernel(agreed = false): void {
    const { cells, kernel } = this.store.now;
    const loses = kernel.state === "busy" || kernel.state === "unresponsive" || (kernel.state !== "dead" && [...cells.values()].some(holdsValues));
    this.asksToRestart.value = loses && !agreed;
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
    return this.isAtRest ? this.ask({ type: "complete", cellId, code, cursor }) : Promise.resolve(undefined);
  }

  /** Nothing runs and nothing is asked: there is never a queue of guesses behind a busy kernel. */
  private get isAtRest(): boolean {
    return this.store.kernel.value.state === "idle" && this.connection.state.value === "live" && this.questions.waiting.value === 0;
  }

  /** True as soon as that is so; false when it does not come within `patience` ms. */
  private rest(patience: number): Promise<boolean> {
    return new Promise((resolve) => {
      const stop = effect(() => {
        if (this.isAtRest) resolve(true);
      });
      timers.after(patience, () => (stop(), resolve(false)));
    });
  }

  /** What the running kernel says of what stands at this place, as `complete`; a moment of work is waited for. */
  async inspect(cellId: string, code: string, cursor: number): Promise<Record<string, unknown> | undefined> {
    return (await this.rest(INSPECT_PATIENCE)) ? this.ask({ type: "inspect", cellId, code, cursor }) : undefined;
  }

  /** Ask something that changes nothing; undefined when there is no answer to be had. */
  async ask(question: NewCommand): Promise<Record<string, unknown> | undefined> {
    const answer = await this.questions.ask(question);
    return answer?.type === "ack" ? answer.result : undefined;
  }

  /** Try again what was refused or not answered; an edit is sent as the editor has it now. */
  retry(problemId: string, command: Command["type"], cellId: string): void {
    if (command === "cell_update" && !this.outbox.has(problemId)) {
      this.outbox.dismiss(problemId);
      this.drafts.save(cellId, this.draft(cellId)?.sent() ?? "");
    } else {
      this.outbox.retry(problemId);
    }
  }

  // Text and focus

  draft(cellId: string): Draft | undefined {
    return this.drafts.of(cellId);
  }

  get focused(): Focus["focused"] {
    return this.focusing.focused;
  }

  get selected(): string | undefined {
    return this.focusing.selected;
  }

  set selected(cellId: string) {
    this.focusing.selected = cellId;
  }

  mounted(cellId: string, handle: CellHandle): () => void {
    return this.focusing.mounted(cellId, handle);
  }

  /** Focus the editor of a cell, or the cell itself, now or as soon as it is there. */
  focus(cellId: string, mode: Mode = "edit", stretch?: Stretch): void {
    this.focusing.focus(cellId, mode, stretch);
  }

  private cell(cellId: string): Cell | undefined {
    return this.store.cell(cellId)?.peek();
  }

  /** A command that changes the document: undo would now mean this one. */
  private edit(command: NewCommand): string {
    this.undoable.value = undefined;
    return this.outbox.add(command);
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
        return this.drafts.conflict(frame);
      default:
        // A gap: what is missing is asked for by attaching again from the last event held.
        if (!this.startOver && !this.store.take(frame)) this.resync("An event was missing.");
    }
  }

  private live(): void {
    this.refused.value = undefined;
    this.store.flush();
    this.told = undefined;
    this.tellPlace(this.focused.peek());
    const before = this.absence.ended();
    if (before) this.missed.value = missed(before, this.store.now, (id) => this.outbox.codeFor(id) !== undefined);
    this.outbox.online();
  }

  private lost(): void {
    this.absence.began(this.connection.reconnects.peek() > 0 ? this.store.now : undefined);
    this.outbox.offline();
    this.questions.giveUp();
    this.drafts.cancel();
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
    this.questions.answered(frame.id, answer);
    this.drafts.answered(frame, answer);
    if (answer.type !== "error") return;
    if (frame.type === "create_cell") this.typeahead.giveUp();
    if (frame.type === "update_cells") this.undoable.value = undefined; // it did not happen: undo would take back another step
  }

  private folded(events: readonly Event[], before: NotebookState, after: NotebookState): void {
    this.drafts.folded(before, after);
    for (const event of events) {
      this.focusing.follow(event, before, this.store.order.peek());
      if (event.type === "command:failed" && event.client === this.client && event.code !== "interrupted")
        this.outbox.failedLater(event); // of an interrupt or a restart somebody knows who asked for it
      if (event.type === "project:saved") this.savedAt.value = event.ts * 1_000;
      if (event.type === "cell_deleted" && event.cause?.client === this.client) this.undoable.value = { id: event.cause.id, text: "Cell deleted." };
    }
    const said = announce(events, after);
    if (said !== undefined) this.announcement.value = said;
    const last = events.at(-1);
    if (last?.hash !== undefined && last.type !== "project:saved") void this.compare(after, last.hash);
  }

  private async compare(state: NotebookState, hash: string): Promise<void> {
    const ours = await documentHash(state);
    if (ours === undefined || ours === hash || timers.now() - this.divergedAt < DIVERGED_EVERY) return;
    this.divergedAt = timers.now();
    console.warn(`The document differs from the gateway's at event ${state.seq}: loading it again.`);
    this.startOver = true;
    this.resync("The document differed from the gateway's.");
  }

  private resync(reason: string): void {
    this.absence.resync();
    this.connection.reattach(reason);
  }
}
