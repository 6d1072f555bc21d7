/**
 * The one outgoing queue: a command stays here until its answer, and is sent again with the same id after a reconnect.
 * Knows commands by id and cell; must not know sockets or what an answer changes.
 */

import { signal } from "@preact/signals";

import type { Timers } from "./connection";
import type { Ack, Command, CommandFailed, Error as Refusal } from "./protocol";

type Unnumbered<T> = T extends { id: string } ? Omit<T, "id"> : never;
export type NewCommand = Unnumbered<Command>;

/** A command that was refused, or not answered in time; shown on its cell until it is retried or dismissed. */
export interface Problem {
  id: string;
  command: Command["type"];
  code: string;
  message: string;
}

interface Entry {
  frame: Command;
  sent: boolean;
  /** Nobody is told when it is refused or late: the run that the typing timer asked for, a completion. */
  quiet: boolean;
  cancel?: (() => void) | undefined;
}

export interface Keeper {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export type Answered = (frame: Command, answer: Ack | Refusal) => void;

const ANSWER_WITHIN = 5_000; // ms
const WINDOW = 200; // frames unanswered at once; the gateway takes 1,000
/** Not written to storage: the frame holds a secret, or means nothing to a later page. */
const UNKEPT: ReadonlySet<Command["type"]> = new Set(["update_db_connection", "stdin_reply", "complete", "inspect", "rename_variable", "interrupt"]);

/** Commands that their name and cell say all of. */
const REPEATABLE: ReadonlySet<Command["type"]> = new Set(["run_cell", "run_all", "run_stale", "restart_kernel", "interrupt", "save"]);

export class Outbox {
  /** Problems by cell id; "" holds those that belong to no cell. */
  readonly problems = signal<ReadonlyMap<string, Problem>>(new Map());
  readonly waiting = signal(0);
  private entries: Entry[] = [];
  private refused = new Map<string, Command>();
  private connected = false;

  constructor(
    private readonly timers: Timers,
    private readonly keeper: Keeper,
    private readonly slot: string,
    private readonly transmit: (frame: Command) => boolean,
    private readonly answered: Answered,
    private readonly newId: () => string,
  ) {
    this.restore();
  }

  /** Queue a command and send it when possible; returns its id. */
  add(command: NewCommand, quiet = false): string {
    const replaced = this.supersede(command);
    if (replaced) return replaced;
    const frame = { ...command, id: this.newId() } as Command;
    const cell = cellOf(frame);
    if (cell !== "") this.forgetProblem(cell);
    this.entries.push({ frame, sent: false, quiet });
    this.settle();
    return frame.id;
  }

  /** Nobody waits for this answer any more. */
  forget(id: string): void {
    const entry = this.entries.find((one) => one.frame.id === id);
    entry?.cancel?.();
    this.entries = this.entries.filter((one) => one !== entry);
    this.settle();
  }

  has(id: string): boolean {
    return this.entries.some((entry) => entry.frame.id === id);
  }

  /** The newest code on its way for this cell, if any. */
  codeFor(cellId: string): string | undefined {
    for (const { frame } of [...this.entries].reverse()) {
      const code = codeIn(frame, cellId);
      if (code !== undefined) return code;
    }
    return undefined;
  }

  /** The socket is live: everything unanswered goes out again, in order. */
  online(): void {
    this.connected = true;
    for (const entry of this.entries) this.unsend(entry);
    this.settle();
  }

  offline(): void {
    this.connected = false;
    for (const entry of this.entries) this.unsend(entry);
    this.clearLate();
  }

  ack(ack: Ack): void {
    const frame = this.take(ack.id);
    if (frame) this.answered(frame, ack);
  }

  refuse(error: Refusal): void {
    const quiet = this.entries.find((entry) => entry.frame.id === error.id)?.quiet ?? false;
    const frame = error.id === null ? undefined : this.take(error.id);
    if (!frame) return;
    if (!quiet) {
      this.refused.set(frame.id, frame);
      this.tell(frame, error.code, error.message);
    }
    this.answered(frame, error);
  }

  /** The kernel's part of an acknowledged command failed later: shown like a refusal, and retried as a new command. */
  failedLater(event: CommandFailed): void {
    const cellId = event.cellId === undefined ? {} : { cellId: event.cellId };
    const frame = { type: event.command, id: event.id, ...cellId } as Command;
    if (!REPEATABLE.has(frame.type)) return;
    this.refused.set(frame.id, frame);
    this.tell(frame, event.code, event.message);
  }

  /** A missing answer is asked for with the same id; a refused command is a new one, since its id has its answer. */
  retry(id: string): void {
    const refused = this.refused.get(id);
    const entry = this.entries.find((one) => one.frame.id === id);
    this.dismiss(id);
    if (refused) {
      const { id: _, ...command } = refused;
      this.add(command as NewCommand);
    } else if (entry) {
      this.unsend(entry);
      this.settle();
    }
  }

  dismiss(id: string): void {
    this.refused.delete(id);
    this.problems.value = new Map([...this.problems.value].filter(([, problem]) => problem.id !== id));
  }

  private take(id: string): Command | undefined {
    const index = this.entries.findIndex((entry) => entry.frame.id === id);
    if (index < 0) return undefined;
    const [entry] = this.entries.splice(index, 1);
    entry!.cancel?.();
    this.dismiss(id);
    this.settle();
    return entry!.frame;
  }

  /** An update of a cell that has not left yet takes the newer text, unless something else for that cell follows it. */
  private supersede(command: NewCommand): string | undefined {
    if (command.type !== "cell_update") return undefined;
    const { cellId } = command;
    const last = [...this.entries].reverse().find(({ frame }) => cellOf(frame) === cellId || codeIn(frame, cellId) !== undefined);
    if (!last || last.sent || last.frame.type !== "cell_update") return undefined;
    last.frame = { ...last.frame, code: command.code };
    this.keep();
    return last.frame.id;
  }

  private settle(): void {
    this.pump();
    this.waiting.value = this.entries.length;
    this.keep();
  }

  private pump(): void {
    if (!this.connected) return;
    let room = WINDOW - this.entries.filter((entry) => entry.sent).length;
    for (const entry of this.entries) {
      if (entry.sent) continue;
      if (room-- <= 0 || !this.transmit(entry.frame)) return;
      entry.sent = true;
      if (entry.quiet) continue;
      entry.cancel = this.timers.after(ANSWER_WITHIN, () =>
        this.tell(entry.frame, "no_answer", "The gateway has not answered for 5 seconds."),
      );
    }
  }

  private unsend(entry: Entry): void {
    entry.cancel?.();
    entry.sent = false;
  }

  private tell(frame: Command, code: string, message: string): void {
    const problem: Problem = { id: frame.id, command: frame.type, code, message };
    this.problems.value = new Map(this.problems.value).set(placeOf(frame), problem);
  }

  private clearLate(): void {
    this.problems.value = new Map([...this.problems.value].filter(([, problem]) => problem.code !== "no_answer"));
  }

  private forgetProblem(cellId: string): void {
    if (!this.problems.value.has(cellId)) return;
    this.problems.value = new Map([...this.problems.value].filter(([cell]) => cell !== cellId));
  }

  private keep(): void {
    const frames = this.entries.map((entry) => entry.frame).filter((frame) => !UNKEPT.has(frame.type));
    try {
      this.keeper.setItem(this.slot, JSON.stringify(frames));
    } catch {
      // Storage is full or forbidden: the queue still lives as long as the page.
    }
  }

  private restore(): void {
    try {
      const frames = JSON.parse(this.keeper.getItem(this.slot) ?? "[]") as Command[];
      this.entries = frames.map((frame) => ({ frame, sent: false, quiet: false }));
      this.waiting.value = this.entries.length;
    } catch {
      this.entries = [];
    }
  }
}

/** The text that this command gives to the cell, if it gives it one. */
function codeIn(frame: Command, cellId: string): string | undefined {
  if (frame.type === "update_cells") return frame.cells.find((cell) => cell.cellId === cellId)?.code;
  return (frame.type === "cell_update" || frame.type === "run_cell") && frame.cellId === cellId ? frame.code : undefined;
}

function cellOf(frame: NewCommand): string {
  return "cellId" in frame && frame.cellId !== undefined ? frame.cellId : "";
}

/** Where the problem is shown: on its cell, at the database field, or above the notebook. */
function placeOf(frame: Command): string {
  return frame.type === "update_db_connection" ? "db" : cellOf(frame);
}
