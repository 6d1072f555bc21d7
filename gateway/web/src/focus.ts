/** Which cell takes the keys: the cells that are on the screen, and where the focus goes when cells come and go. */

import { signal } from "@preact/signals";

import type { NotebookState } from "./fold";
import type { Event } from "./protocol";

/** edit: the keys write in the editor. command: they act on the cell. */
export type Mode = "edit" | "command";

/** A part of a cell's text, in UTF-16 units. */
export interface Stretch {
  from: number;
  to: number;
}

/** What a mounted cell lets the notebook do with it. */
export interface CellHandle {
  /** The editor takes the keys, with this stretch selected. False: not yet, but the cell will be mounted again. */
  focus(stretch?: Stretch): boolean;
  /** The cell itself takes the keys. */
  select(): void;
  setText(text: string): void;
  /** Bring this stretch into view; the focus stays where it is. */
  reveal?(stretch: Stretch): void;
  /** What is selected in the editor, or where its cursor is. */
  selection?(): Stretch | undefined;
  /** Make two cells of it, at the cursor. */
  split?(): void;
  /** Takes a key that was held back for a cell that did not come. */
  press?(event: KeyboardEvent): void;
  /** The variable at the cursor, when the cell has an editor. */
  nameAtCursor?(): string | undefined;
}

export class Focus {
  readonly focused = signal<string | undefined>(undefined);
  /** The cell that had the focus last, also when the focus is in a panel or nowhere. */
  selected: string | undefined;
  /** The keys write text: a neighbour that takes the focus of a deleted cell takes it in the same mode. */
  writing = false;
  private readonly handles = new Map<string, CellHandle>();
  private readonly goTo = new Map<string, Mode>(); // commands whose cell, or the one after it, takes the focus
  private wanted: { cellId: string; mode: Mode; stretch: Stretch | undefined } | undefined;

  constructor(private readonly client: string) {}

  mounted(cellId: string, handle: CellHandle): () => void {
    this.handles.set(cellId, handle);
    if (this.wanted?.cellId === cellId) this.focus(cellId, this.wanted.mode, this.wanted.stretch);
    return () => {
      if (this.handles.get(cellId) === handle) this.handles.delete(cellId);
    };
  }

  handle(cellId: string): CellHandle | undefined {
    return this.handles.get(cellId);
  }

  /** Focus the editor of a cell, or the cell itself, now or as soon as it is there. */
  focus(cellId: string, mode: Mode = "edit", stretch?: Stretch): void {
    const handle = this.handles.get(cellId);
    const wanted = { cellId, mode, stretch };
    this.wanted = handle ? undefined : wanted;
    if (mode === "command") handle?.select();
    else if (handle?.focus(stretch) === false) this.wanted = wanted;
  }

  /** Bring a stretch of a cell into view; the focus stays where it is. */
  reveal(cellId: string, stretch: Stretch): void {
    document.getElementById(`cell-${cellId}`)?.scrollIntoView({ block: "nearest" });
    this.handles.get(cellId)?.reveal?.(stretch);
  }

  /** The variable at the cursor of this cell's editor. */
  nameAtCursor(cellId: string | undefined): string | undefined {
    return cellId === undefined ? undefined : this.handles.get(cellId)?.nameAtCursor?.();
  }

  split(cellId: string): void {
    this.handles.get(cellId)?.split?.();
  }

  /** Where the cursor of the selected cell is, and what is selected there. */
  cursor(): (Stretch & { cellId: string }) | undefined {
    const cellId = this.selected;
    const { from, to } = (cellId === undefined ? undefined : this.handles.get(cellId)?.selection?.()) ?? { from: 0, to: 0 };
    return cellId === undefined ? undefined : { cellId, from, to };
  }

  /** The cell that this command makes, or the one after the cell that it deletes, takes the focus. */
  goWith(commandId: string, mode: Mode): void {
    this.goTo.set(commandId, mode);
  }

  /** Move with the cells that this tab creates, and away from one that goes. */
  follow(event: Event, before: NotebookState, order: readonly string[]): void {
    if (event.type === "cell_created" && event.cause?.client === this.client && this.goTo.has(event.cause.id)) {
      this.focus(event.cellId, this.goTo.get(event.cause.id));
      this.goTo.delete(event.cause.id);
    } else if (event.type === "cell_deleted" && this.focused.peek() === event.cellId) {
      const at = before.order.indexOf(event.cellId);
      const next = [...before.order.slice(at + 1), ...before.order.slice(0, Math.max(at, 0)).reverse()].find((id) => order.includes(id));
      this.focused.value = undefined;
      if (next !== undefined) this.focus(next, this.goTo.get(event.cause?.id ?? "") ?? (this.writing ? "edit" : "command"));
    }
  }
}
