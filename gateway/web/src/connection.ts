/**
 * Keeps one socket to the gateway: states, back-off, heartbeat. Knows frames by their envelope only (attach, ack of it,
 * pong, seq); must not know what a command or an event means.
 */

import { signal } from "@preact/signals";

import type { Ack, Attach, Command, Control, Event, Since } from "./protocol";

export type ConnectionState = "connecting" | "attaching" | "replaying" | "loading" | "live" | "lost";
export type Frame = Event | Control;

/** The part of a WebSocket that is used: a fake of it stands in tests. */
export interface Socket {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number; reason: string }) => void) | null;
}

export interface Timers {
  after(ms: number, run: () => void): () => void;
  now(): number;
}

export interface Ports extends Timers {
  open(): Socket;
  random(): number;
  visible(): boolean;
}

export interface Hooks {
  /** The attach frame without its id; asked at each attempt, since the position moves. */
  attach(): Omit<Attach, "type" | "id">;
  frame(frame: Frame): void;
  live(): void;
  lost(): void;
  /** The gateway turned us away: not_logged_in, unknown_notebook, … It is still asked again. */
  refused(code: string, message: string): void;
}

const BACK_OFF = 250; // ms, doubled at each failure
const BACK_OFF_CAP = 10_000; // ms
const PATIENCE = 10_000; // ms to open, and to attach
const PING_EVERY = 10_000; // ms, while the page is visible
const PONG_WITHIN = 5_000; // ms
const CLOSED: Readonly<Record<number, readonly [code: string, message: string]>> = {
  4401: ["not_logged_in", "The gateway does not know this page any more. Open the URL that it printed."],
  4403: ["bad_origin", "The gateway refuses this address. Open the URL that it printed."],
  4404: ["unknown_notebook", "There is no notebook with this id any more."],
};

/** Sees every frame that goes out or comes in, while somebody looks. */
export type Tap = (direction: "in" | "out", frame: object) => void;

export class Connection {
  /** Undefined while nobody looks: then a frame costs one comparison more. */
  tap: Tap | undefined;
  readonly state = signal<ConnectionState>("connecting");
  /** When the next attempt starts, in the clock of `Timers.now`; undefined unless lost. */
  readonly retryAt = signal<number | undefined>(undefined);
  readonly failures = signal(0);
  readonly reconnects = signal(0);
  readonly lastReason = signal("");

  private socket: Socket | undefined;
  private attachId = "";
  private since: Since | undefined;
  private liveFrom = 0;
  private counter = 0;
  private cancelTimer: (() => void) | undefined;
  private cancelPing: (() => void) | undefined;
  private stopped = false;

  constructor(
    private readonly ports: Ports,
    private readonly hooks: Hooks,
  ) {}

  start(): void {
    if (this.stopped || this.socket) return;
    this.timer(undefined);
    this.state.value = "connecting";
    this.retryAt.value = undefined;
    const socket = this.ports.open();
    this.socket = socket;
    // Each handler first asks whether its socket is still the one: late events of an old one are dropped.
    const own = (run: () => void) => {
      if (this.socket === socket) run();
    };
    socket.onopen = () => own(() => this.attach());
    socket.onmessage = (event) => own(() => this.receive(event.data));
    socket.onclose = (event) => own(() => this.closed(event.code, event.reason));
    this.timer(PATIENCE, () => this.drop("The gateway does not answer."));
  }

  /** Skip the wait. Does nothing unless lost. */
  retryNow(): void {
    if (this.state.value === "lost") this.start();
  }

  /** Throw this socket away and attach again: a gap was seen, or the document diverged. */
  reattach(reason: string): void {
    this.drop(reason);
    this.retryNow();
  }

  stop(): void {
    this.stopped = true;
    this.timer(undefined);
    this.cancelPing?.();
    const socket = this.socket;
    this.socket = undefined;
    socket?.close(1000);
  }

  /** False if there is no live socket: the caller keeps the frame. */
  send(frame: Command): boolean {
    if (this.state.value !== "live" || !this.socket) return false;
    this.transmit(this.socket, frame);
    return true;
  }

  /** The tab came back into view or the network came back: find out at once whether the socket lives. */
  wake(): void {
    if (this.state.value === "lost") this.start();
    else if (this.state.value === "live") this.ping();
  }

  private attach(): void {
    this.state.value = "attaching";
    const attach = this.hooks.attach();
    this.attachId = `attach-${++this.counter}-${Math.floor(this.ports.random() * 1e9)}`;
    this.since = attach.since;
    if (this.socket) this.transmit(this.socket, { type: "attach", id: this.attachId, ...attach });
    this.timer(PATIENCE, () => this.drop("The gateway did not answer to attach."));
  }

  private transmit(socket: Socket, frame: object): void {
    this.tap?.("out", frame);
    socket.send(JSON.stringify(frame));
  }

  private receive(data: unknown): void {
    const frames = typeof data === "string" ? (JSON.parse(data) as Frame | Frame[]) : [];
    this.pong(); // any frame proves that the gateway lives: a pong may queue behind a flood of output
    const socket = this.socket;
    for (const frame of Array.isArray(frames) ? frames : [frames]) {
      if (this.socket !== socket) return; // a frame of this batch made us drop the socket
      this.tap?.("in", frame);
      this.one(frame);
    }
  }

  private one(frame: Frame): void {
    if (frame.type === "pong") return;
    if (frame.type === "ack" && frame.id === this.attachId) return this.attached(frame);
    if (frame.type === "error" && frame.id === this.attachId) {
      this.hooks.refused(frame.code, frame.message);
      return this.drop(frame.message);
    }
    this.hooks.frame(frame);
    if (frame.type === "snapshot") this.goLive();
    else if (this.state.value === "replaying" && "seq" in frame && frame.seq >= this.liveFrom) this.goLive();
  }

  private attached(ack: Ack): void {
    this.liveFrom = ack.seq;
    if (ack.result?.["mode"] === "snapshot") this.state.value = "loading";
    else if (this.since && this.since.seq >= ack.seq) this.goLive();
    else this.state.value = "replaying";
  }

  private goLive(): void {
    if (this.state.value === "live") return; // a snapshot after resync, on a live socket
    this.timer(undefined);
    this.state.value = "live";
    this.failures.value = 0;
    this.schedulePing();
    this.hooks.live();
  }

  private schedulePing(): void {
    this.cancelPing?.();
    this.cancelPing = this.ports.after(PING_EVERY, () => {
      if (this.ports.visible()) this.ping();
      else this.schedulePing();
    });
  }

  private ping(): void {
    this.send({ type: "ping", id: `ping-${++this.counter}` });
    this.cancelPing?.();
    this.cancelPing = this.ports.after(PONG_WITHIN, () => this.drop("The gateway stopped answering."));
  }

  private pong(): void {
    if (this.state.value === "live") this.schedulePing();
  }

  private closed(code: number, reason: string): void {
    const refusal = CLOSED[code];
    if (refusal) this.hooks.refused(...refusal);
    this.drop(refusal?.[1] ?? reason);
  }

  private drop(reason: string): void {
    const socket = this.socket;
    this.socket = undefined;
    socket?.close(1000);
    this.cancelPing?.();
    if (this.stopped) return;
    const wasLive = this.state.value === "live";
    const wait = Math.min(BACK_OFF_CAP, BACK_OFF * 2 ** this.failures.value) * (0.5 + this.ports.random() / 2);
    this.failures.value += 1;
    if (wasLive) this.reconnects.value += 1;
    this.lastReason.value = reason;
    this.state.value = "lost";
    this.retryAt.value = this.ports.now() + wait;
    this.timer(wait, () => this.start());
    this.hooks.lost();
  }

  private timer(ms: number | undefined, run: () => void = () => undefined): void {
    this.cancelTimer?.();
    this.cancelTimer = ms === undefined ? undefined : this.ports.after(ms, run);
  }
}
