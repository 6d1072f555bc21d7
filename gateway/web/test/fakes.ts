/** Stand-ins for the outside: a clock that is turned by hand, a socket that records, a store of strings. */

import type { Ports, Socket, Timers } from "../src/connection";
import type { Keeper } from "../src/outbox";
import type { Cell, Command, Snapshot } from "../src/protocol";

export class FakeClock implements Timers {
  private time = 0;
  private waiting: { at: number; run: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): () => void {
    const entry = { at: this.time + ms, run };
    this.waiting.push(entry);
    return () => {
      this.waiting = this.waiting.filter((one) => one !== entry);
    };
  }

  /** Let this many milliseconds pass; what falls due runs in order. */
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.waiting.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.waiting = this.waiting.filter((one) => one !== next);
      this.time = next.at;
      next.run();
    }
    this.time = end;
  }

  get pending(): number {
    return this.waiting.length;
  }
}

export class FakeSocket implements Socket {
  sent: Record<string, unknown>[] = [];
  closed = false;
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;

  send(data: string): void {
    if (this.closed) throw new Error("sent on a closed socket");
    this.sent.push(JSON.parse(data) as Record<string, unknown>);
  }

  close(): void {
    this.closed = true;
  }

  says(...frames: unknown[]): void {
    for (const frame of frames) this.onmessage?.({ data: JSON.stringify(frame) });
  }

  breaks(code = 1006): void {
    this.onclose?.({ code, reason: "" });
  }

  /** Open, take the attach frame, answer it. */
  attaches(mode: "replay" | "snapshot", seq: number): void {
    this.onopen?.();
    this.says({ type: "ack", id: this.sent[0]!["id"], revision: 0, seq, result: { mode } });
  }
}

export class FakeNetwork extends FakeClock implements Ports {
  sockets: FakeSocket[] = [];
  inSight = true;
  dice = 1;

  open(): Socket {
    const socket = new FakeSocket();
    this.sockets.push(socket);
    return socket;
  }

  random(): number {
    return this.dice;
  }

  visible(): boolean {
    return this.inSight;
  }

  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }
}

export class FakeKeeper implements Keeper {
  readonly kept = new Map<string, string>();

  getItem(key: string): string | null {
    return this.kept.get(key) ?? null;
  }

  setItem(key: string, value: string): void {
    this.kept.set(key, value);
  }
}

export function cell(id: string, change: Partial<Cell> = {}): Cell {
  return {
    id, type: "python", code: "", mode: "auto", execution: "local", version: 1, status: "idle", reads: [], writes: [],
    diagnostics: [], analysed: true, outputs: [], stdout: "", ...change,
  };
}

export function snapshot(cells: Cell[], seq = 0): Snapshot {
  return {
    type: "snapshot", epoch: "e1", seq, revision: 0, hash: "", notebook: { id: "n", path: "n.py", name: "n", settings: { autoRun: true, lazy: false, cutoff: false, frames: "pandas", earlyQueries: true } }, cells,
    graph: { edges: [], cycles: [], version: 0 }, kernel: { state: "idle" }, db: [], clients: [],
  };
}

export type Sent = Command & Record<string, unknown>;
