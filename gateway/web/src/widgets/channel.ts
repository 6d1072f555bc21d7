/** One comm as the widget libraries know it, over the gateway's `comm` frames. Knows frames, no models. */

import type { ICallbacks, IClassicComm } from "@jupyter-widgets/base";

import type { Notebook } from "../notebook";
import type { CommSent } from "../protocol";

type Buffers = ArrayBuffer[] | ArrayBufferView[];
type Json = Record<string, unknown>;

/** A message as Jupyter's front ends hand it to a model. */
interface Heard {
  content: { comm_id: string; data: Json };
  metadata: Json;
  buffers: DataView[];
  parent_header?: { msg_id: string };
}

export class Channel implements IClassicComm {
  private hear: ((message: Heard) => void) | undefined;
  private closed: ((message: Heard) => void) | undefined;
  private early: Heard[] = []; // before the model's class was there
  private dead = false;

  constructor(
    private readonly notebook: Notebook,
    readonly comm_id: string,
    readonly target_name: string,
  ) {}

  deliver(event: CommSent): void {
    const message = heard(event, this.notebook.client);
    if (event.phase === "close") this.closed?.(message);
    else if (this.hear) this.hear(message);
    else this.early.push(message);
  }

  /** The kernel at the other end is gone: nothing is sent any more. */
  cut(): void {
    this.dead = true;
  }

  on_msg(callback: (message: unknown) => void): void {
    this.hear = callback;
    for (const message of this.early.splice(0)) callback(message);
  }

  on_close(callback: (message: unknown) => void): void {
    this.closed = callback;
  }

  open(data: unknown, callbacks?: ICallbacks, metadata?: object, buffers?: Buffers): string {
    return this.transmit("open", data, callbacks, metadata, buffers);
  }

  send(data: unknown, callbacks?: ICallbacks, metadata?: object, buffers?: Buffers): string {
    return this.transmit("msg", data, callbacks, metadata, buffers);
  }

  close(data?: unknown, callbacks?: ICallbacks, metadata?: object, buffers?: Buffers): string {
    return this.transmit("close", data ?? {}, callbacks, metadata, buffers);
  }

  /** The frame's id, by which an echo of the kernel knows its cause. */
  private transmit(phase: CommSent["phase"], data: unknown, callbacks?: ICallbacks, metadata?: object, buffers?: Buffers): string {
    if (this.dead) return "";
    const id = this.notebook.outbox.add(
      {
        type: "comm",
        commId: this.comm_id,
        phase,
        data: (data ?? {}) as Json,
        ...(phase === "open" && { targetName: this.target_name }),
        ...(metadata && { metadata: metadata as Json }),
        ...(buffers && buffers.length > 0 && { buffers: buffers.map(base64) }),
      },
      true,
    );
    const status = callbacks?.iopub?.status;
    if (status) void this.handled().then(() => status({ content: { execution_state: "idle" } } as Parameters<typeof status>[0]));
    return id;
  }

  /**
   * Settles when the kernel has dealt with what was sent: a question on the same channel waits behind it. Until then a
   * model holds its next change back, so that a slider does not fill the kernel's queue.
   */
  private async handled(): Promise<void> {
    const cellId = this.notebook.store.order.peek()[0];
    if (cellId !== undefined) await this.notebook.ask({ type: "inspect", cellId, code: "", cursor: 0 });
  }
}

function heard(event: CommSent, client: string): Heard {
  return {
    content: { comm_id: event.commId, data: structuredClone(event.data) },
    metadata: event.metadata ?? {},
    buffers: viewsOf(event),
    ...(event.cause?.client === client && { parent_header: { msg_id: event.cause.id } }),
  };
}

export function base64(part: ArrayBuffer | ArrayBufferView): string {
  const bytes = ArrayBuffer.isView(part) ? new Uint8Array(part.buffer, part.byteOffset, part.byteLength) : new Uint8Array(part);
  let text = "";
  const STEP = 0x8000; // arguments of one call
  for (let at = 0; at < bytes.length; at += STEP) text += String.fromCharCode(...bytes.subarray(at, at + STEP));
  return btoa(text);
}

/** The binary parts of a message; in JSON they are base64. */
export function viewsOf({ buffers }: CommSent): DataView[] {
  return (buffers ?? []).map((part) => {
    const bytes = typeof part === "string" ? Uint8Array.from(atob(part), (char) => char.charCodeAt(0)) : part;
    return new DataView(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  });
}
