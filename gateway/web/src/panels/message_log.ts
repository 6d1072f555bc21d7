/** The last frames of the connection with their sizes and delays, secrets masked. Pure: time is given. */

export type Direction = "in" | "out";

export interface Entry {
  n: number;
  direction: Direction;
  at: number; // ms
  type: string;
  /** The command that this frame is, answers or follows from. */
  cause: string | undefined;
  bytes: number; // of its JSON text, in characters
  /** From the command to this answer. */
  ms: number | undefined;
  /** With secrets masked. */
  frame: object;
  masked: boolean;
}

export interface Figures {
  p50: number | undefined; // ms
  p99: number | undefined; // ms
  rate: number; // frames a second
}

const RING = 1_000; // entries
const RATE_OVER = 5_000; // ms
const MASK = "•••";
/** Frames whose fields of these names are secrets; code of a cell is none. */
const HOLDS_SECRET: Readonly<Record<string, readonly string[]>> = {
  attach: ["key"],
  update_db_connection: ["connectionString"],
  stdin_reply: ["value"],
};

export class MessageLog {
  private ring: Entry[] = [];
  private count = 0;
  private readonly sentAt = new Map<string, number>();

  get entries(): readonly Entry[] {
    return this.ring;
  }

  add(direction: Direction, frame: object, now: number): void {
    const { type = "?", id, cause } = frame as { type?: string; id?: string | null; cause?: { id: string } };
    const masked = maskedFrame(frame);
    let ms: number | undefined;
    if (direction === "out" && id) this.sentAt.set(id, now);
    else if (id && this.sentAt.has(id)) {
      ms = now - this.sentAt.get(id)!;
      this.sentAt.delete(id);
    }
    const bytes = JSON.stringify(frame).length;
    this.ring.push({ n: ++this.count, direction, at: now, type, cause: cause?.id ?? id ?? undefined, bytes, ms, frame: masked, masked: masked !== frame });
    if (this.ring.length > RING) this.ring.shift();
    if (this.sentAt.size > RING) this.sentAt.delete(this.sentAt.keys().next().value!);
  }

  clear(): void {
    this.ring = [];
  }

  figures(now: number): Figures {
    const delays = this.ring.flatMap((entry) => entry.ms ?? []).sort((a, b) => a - b);
    const at = (part: number) => delays[Math.min(delays.length - 1, Math.floor(part * delays.length))];
    const recent = this.ring.filter((entry) => now - entry.at <= RATE_OVER).length;
    return { p50: at(0.5), p99: at(0.99), rate: recent / (RATE_OVER / 1_000) };
  }
}

function maskedFrame(frame: object): object {
  const secrets = HOLDS_SECRET[(frame as { type?: string }).type ?? ""];
  if (!secrets) return frame;
  return Object.fromEntries(Object.entries(frame).map(([key, value]) => [key, secrets.includes(key) && value !== null ? MASK : value]));
}

/** Entries whose type, cause or direction holds every word. */
export function filtered(entries: readonly Entry[], query: string): Entry[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return entries.filter(({ type, cause, direction }) => words.every((word) => `${direction} ${type} ${cause ?? ""}`.toLowerCase().includes(word)));
}
