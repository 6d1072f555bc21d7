/** Keys pressed while the editor that is to take them is still being made. Knows key events; must not know cells. */

import type { Timers } from "./connection";

const PATIENCE = 5_000; // ms until what was held goes to `otherwise`
const EDITING: ReadonlySet<string> = new Set([
  "Enter", "Backspace", "Delete", "Tab", "Escape", "Home", "End", "ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown",
]);

export type Press = (event: KeyboardEvent) => void;

export class Typeahead {
  private held: KeyboardEvent[] = [];
  private stop: (() => void) | undefined;

  /** `otherwise` takes the keys when no editor came for them. */
  constructor(
    private readonly timers: Timers,
    private readonly otherwise: Press,
  ) {}

  /** From now on keys wait, until an editor takes them, the pointer goes elsewhere, or nobody comes. */
  hold(): void {
    this.stop?.();
    const key = (event: KeyboardEvent) => {
      if (!writes(event)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.held.push(event);
    };
    const ignore = () => this.stop?.();
    addEventListener("keydown", key, true);
    addEventListener("pointerdown", ignore, true);
    const cancel = this.timers.after(PATIENCE, () => this.giveUp());
    this.stop = () => {
      removeEventListener("keydown", key, true);
      removeEventListener("pointerdown", ignore, true);
      if (this.held.length === 0) cancel();
      this.stop = undefined;
    };
  }

  /** The editor is there: it takes what was held, in order. A key among them may make the rest wait again. */
  release(press: Press): void {
    const events = this.held;
    this.held = [];
    this.stop?.();
    for (const [at, event] of events.entries()) {
      if (this.stop) {
        this.held.push(...events.slice(at));
        return;
      }
      press(event);
    }
  }

  /** No editor will come. */
  giveUp(): void {
    this.release(this.otherwise);
  }
}

/** Keys for an editor; those of the browser (Ctrl-R) and of input methods go their own way. */
function writes(event: KeyboardEvent): boolean {
  if (event.isComposing) return false;
  if (EDITING.has(event.key)) return true;
  const shortcut = (event.ctrlKey || event.metaKey || event.altKey) && !event.getModifierState("AltGraph");
  return event.key.length === 1 && !shortcut;
}
