/**
 * The text of one cell while somebody edits it: when it is saved, when it is run by itself, when a newer text from the
 * gateway may replace it. Knows time through a port; must not know the editor or the socket.
 */

import { signal } from "@preact/signals";

import type { Timers } from "./connection";
import type { Cell } from "./protocol";

/** resting; counting down after a key; checking: saved, waits for the analysis before it may run. */
export type Phase = "resting" | "counting" | "checking";

export interface DraftPorts extends Timers {
  /** Send this text; returns nothing, the answer comes as events. */
  save(text: string): void;
  /** Run the cell if it still holds exactly this text. */
  runIfStill(text: string): void;
  /** Auto-run is on for this notebook, and the gateway can be reached. */
  mayRun(): boolean;
  cell(): Cell | undefined;
}

export const PAUSE = 1_500; // ms between the last key and the run

export class Draft {
  readonly phase = signal<Phase>("resting");
  /** Why the pause ended without a run: "incomplete" or "outside"; cleared by the next key. */
  readonly held = signal<"incomplete" | "outside" | undefined>(undefined);
  /** The editor holds a text that was not sent yet. */
  readonly edited = signal(false);
  /** The version of the cell that the text started from. */
  baseVersion: number;
  /** What the editor holds. */
  text: string;
  /** The last text that was sent or received: the editor is clean while it equals this. */
  private agreed: string;
  private cancelTimer: (() => void) | undefined;

  constructor(
    private readonly ports: DraftPorts,
    code: string,
  ) {
    this.baseVersion = ports.cell()?.version ?? 0;
    this.text = code;
    this.agreed = code;
  }

  get dirty(): boolean {
    return this.text !== this.agreed;
  }

  /** A key was pressed: the countdown starts again. */
  input(text: string): void {
    this.text = text;
    this.edited.value = this.dirty;
    this.held.value = undefined;
    this.stop();
    if (!this.ports.mayRun() || !timed(this.ports.cell())) return;
    this.phase.value = "counting";
    this.cancelTimer = this.ports.after(PAUSE, () => this.pauseEnded());
  }

  /** The editor lost the focus: save, and run nothing. */
  blur(): void {
    if (this.phase.value === "counting") this.stop();
    this.saveIfDirty();
  }

  /** The countdown is cancelled by hand, or the connection went. The text stays. */
  cancel(): void {
    this.stop();
  }

  /** The text was sent with a run: nothing is left to save. */
  sent(): string {
    this.stop();
    this.held.value = undefined;
    this.agree(this.text);
    return this.text;
  }

  /**
   * The gateway's cell changed. Returns the text that the editor must show instead of its own, if any.
   * `settled`: nothing that we sent for this cell is still on its way.
   */
  received(cell: Cell, settled: boolean): string | undefined {
    if (this.phase.value === "checking") this.check(cell);
    if (cell.code === this.text) {
      this.baseVersion = cell.version;
      this.agree(cell.code);
      return undefined;
    }
    if (this.dirty || !settled) return undefined;
    this.text = cell.code;
    this.baseVersion = cell.version;
    this.agree(cell.code);
    this.stop();
    return cell.code;
  }

  /** Another text takes the place of this one; who gave it also sends it. */
  replaced(text: string): void {
    this.stop();
    this.text = text;
    this.held.value = undefined;
    this.agree(text);
  }

  /** What was sent did not become the cell's code: the text counts as unsaved again. */
  unsaved(): void {
    this.agree(this.ports.cell()?.code ?? this.agreed);
  }

  private agree(text: string): void {
    this.agreed = text;
    this.edited.value = this.dirty;
  }

  private pauseEnded(): void {
    this.cancelTimer = undefined;
    const cell = this.ports.cell();
    this.phase.value = "resting";
    if (!cell || (this.text === cell.code && !this.dirty && cell.status === "success")) return; // typed and taken back
    this.saveIfDirty();
    if (!this.ports.mayRun()) return;
    this.phase.value = "checking";
    this.check(cell);
  }

  /** Runs the saved text once the analysis of exactly this text says that it parses and stays inside. */
  private check(cell: Cell): void {
    if (cell.code !== this.text || !cell.analysed) return;
    this.phase.value = "resting";
    if (cell.diagnostics.some((diagnostic) => diagnostic.kind === "syntax")) this.held.value = "incomplete";
    else if (cell.outsideEffects?.length) this.held.value = "outside";
    else if (this.ports.mayRun()) this.ports.runIfStill(this.text);
  }

  private saveIfDirty(): void {
    if (!this.dirty) return;
    this.agree(this.text);
    this.ports.save(this.text);
  }

  private stop(): void {
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.phase.value = "resting";
  }
}

/** Only code that a person left on automatic is run by the clock. */
function timed(cell: Cell | undefined): boolean {
  return cell !== undefined && cell.type !== "markdown" && cell.mode === "auto";
}
