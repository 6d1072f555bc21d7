/** The texts of all cells as this tab edits them: one draft per cell, made when first asked for. Knows outbox and store. */

import { signal } from "@preact/signals";

import type { Timers } from "./connection";
import { codeHash } from "./document_hash";
import { Draft } from "./draft";
import type { NotebookState } from "./fold";
import type { NewCommand, Outbox } from "./outbox";
import type { Ack, Cell, Command, Conflict, Error as Refusal } from "./protocol";

export interface DraftsPorts extends Timers {
  cell(cellId: string): Cell | undefined;
  /** The typing timer is on, and the gateway can be reached. */
  mayRun(): boolean;
  /** Send a command that changes the document. */
  edit(command: NewCommand): void;
  /** The editor of this cell must show another text. */
  show(cellId: string, text: string): void;
}

export class Drafts {
  /** Texts of this tab that somebody else's replaced, by cell, until a person has chosen. */
  readonly lost = signal<ReadonlyMap<string, Conflict>>(new Map());
  private readonly drafts = new Map<string, Draft>();
  private readonly settleAt = new Map<string, number>(); // seq after which nothing of ours for a cell is on its way

  constructor(
    private readonly ports: DraftsPorts,
    private readonly outbox: Outbox,
  ) {}

  /** Undefined when there is no such cell. */
  of(cellId: string): Draft | undefined {
    const cell = this.ports.cell(cellId);
    const known = this.drafts.get(cellId);
    if (known || !cell) return known;
    const draft = new Draft(
      {
        ...this.ports,
        save: (text) => this.save(cellId, text),
        runIfStill: (text) => void this.runIfStill(cellId, text),
        cell: () => this.ports.cell(cellId),
      },
      this.outbox.codeFor(cellId) ?? cell.code,
    );
    this.drafts.set(cellId, draft);
    return draft;
  }

  /** What this tab shows as the text of a cell. */
  text(cellId: string): string {
    return this.drafts.get(cellId)?.text ?? this.outbox.codeFor(cellId) ?? this.ports.cell(cellId)?.code ?? "";
  }

  saveAll(): void {
    for (const draft of this.drafts.values()) draft.blur();
  }

  save(cellId: string, code: string): void {
    if (this.outbox.codeFor(cellId) === undefined && this.ports.cell(cellId)?.code === code) return;
    this.ports.edit({ type: "cell_update", cellId, code, ...this.base(cellId) });
  }

  /** Give several cells another text as one step; what was typed before is saved first, as a step of its own. */
  rewrite(texts: ReadonlyMap<string, string>): void {
    this.saveAll();
    const cells = [...texts].map(([cellId, code]) => ({ cellId, code, ...this.base(cellId) }));
    if (cells.length === 0) return;
    for (const { cellId, code } of cells) {
      this.of(cellId)?.replaced(code);
      this.ports.show(cellId, code);
    }
    this.ports.edit({ type: "update_cells", cells });
  }

  /** The cell goes, and what was typed with it. */
  drop(cellId: string): void {
    this.drafts.get(cellId)?.sent();
  }

  cancel(): void {
    for (const draft of this.drafts.values()) draft.cancel();
  }

  answered(frame: Command, answer: Ack | Refusal): void {
    for (const cellId of cellsOf(frame)) {
      if (answer.type === "ack") this.settleAt.set(cellId, answer.seq);
      else if (frame.type === "update_cells") this.takeBack(cellId);
      else if (frame.type === "cell_update" || (frame.type === "run_cell" && frame.code !== undefined)) this.drafts.get(cellId)?.unsaved();
    }
  }

  folded(before: NotebookState, after: NotebookState): void {
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
      if (text !== undefined) this.ports.show(cellId, text);
    }
  }

  conflict(frame: Conflict): void {
    this.lost.value = new Map(this.lost.peek()).set(frame.cellId, frame);
  }

  /** Takes a lost text out of the list; returns it. */
  settled(cellId: string): Conflict | undefined {
    const lost = this.lost.peek().get(cellId);
    this.lost.value = new Map([...this.lost.peek()].filter(([id]) => id !== cellId));
    return lost;
  }

  /** A rewriting was refused as a whole: the cell shows its own text again. */
  private takeBack(cellId: string): void {
    const code = this.ports.cell(cellId)?.code;
    const draft = this.drafts.get(cellId);
    if (code === undefined || !draft || draft.dirty) return;
    draft.replaced(code);
    this.ports.show(cellId, code);
  }

  private base(cellId: string): { baseVersion?: number } {
    const baseVersion = this.drafts.get(cellId)?.baseVersion ?? this.ports.cell(cellId)?.version;
    return baseVersion === undefined ? {} : { baseVersion };
  }

  private async runIfStill(cellId: string, text: string): Promise<void> {
    const hash = await codeHash(text);
    if (this.drafts.get(cellId)?.text !== text) return;
    this.outbox.add({ type: "run_cell", cellId, ...(hash !== undefined && { codeHash: hash }) }, true);
  }
}

/** The cells whose text this command may change; a run counts, since its answer settles what was sent before. */
function cellsOf(frame: Command): string[] {
  if (frame.type === "update_cells") return frame.cells.map(({ cellId }) => cellId);
  return frame.type === "cell_update" || frame.type === "run_cell" ? [frame.cellId] : [];
}
