/** Keys → names as the action list spells them, and chords of two keys. Pure; knows no actions. */

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

const MODIFIERS: ReadonlySet<string> = new Set(["Shift", "Control", "Alt", "Meta"]);
const WITHIN = 800; // ms between the two keys of a chord

/** "Shift-M", "Ctrl-S", "?", "ArrowUp"; Cmd counts as Ctrl. Undefined for a modifier alone. */
export function keyName({ key, ctrlKey, metaKey, altKey, shiftKey }: Pressed): string | undefined {
  if (MODIFIERS.has(key)) return undefined;
  const letter = /^[a-z]$/i.test(key);
  const name = letter ? key.toUpperCase() : key;
  const shifted = shiftKey && (letter || key.length > 1); // "?" is a key of its own
  return `${ctrlKey || metaKey ? "Ctrl-" : ""}${altKey ? "Alt-" : ""}${shifted ? "Shift-" : ""}${name}`;
}

export class Chords {
  private readonly actions = new Map<string, string>();
  private readonly firsts = new Set<string>();
  private first: { key: string; at: number } | undefined;

  /** `keys` as in the action list: "D D", "J or ArrowDown". */
  constructor(table: Iterable<readonly [keys: string, action: string]>) {
    for (const [keys, action] of table) {
      for (const way of keys.split(" or ")) {
        this.actions.set(way, action);
        const [one, two] = way.split(" ");
        if (two !== undefined) this.firsts.add(one!);
      }
    }
  }

  /** The action that this key completes; "wait" after the first key of a chord. `now` in ms. */
  press(key: string, now: number): { action: string } | "wait" | undefined {
    const first = this.first;
    this.first = undefined;
    if (first && now - first.at <= WITHIN) {
      const action = this.actions.get(`${first.key} ${key}`);
      if (action !== undefined) return { action };
    }
    if (this.firsts.has(key)) {
      this.first = { key, at: now };
      return "wait";
    }
    const action = this.actions.get(key);
    return action === undefined ? undefined : { action };
  }
}
