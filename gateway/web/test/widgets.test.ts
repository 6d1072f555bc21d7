/** Messages of widgets between our frames and what the widget libraries expect. */

import { describe, expect, it } from "vitest";

import type { Notebook } from "../src/notebook";
import type { CommSent, Command, Event } from "../src/protocol";
import type { Store } from "../src/store";
import { base64, Channel, viewsOf } from "../src/widgets/channel";
import { outputsOf } from "../src/widgets/file_outputs";
import { Mailbox } from "../src/widgets/mailbox";

const sent = (more: Partial<CommSent>): CommSent => ({
  type: "comm", seq: 1, ts: 0, notebookId: "n", commId: "c", phase: "msg", data: {}, ...more,
});

/** The part of a notebook that a channel speaks to. */
function far() {
  const frames: Command[] = [];
  let handled: () => void = () => undefined;
  const notebook = {
    client: "me",
    outbox: { add: (frame: Command) => `id${frames.push(frame)}` },
    store: { order: { peek: () => ["a"] } },
    ask: () => new Promise<undefined>((resolve) => (handled = () => resolve(undefined))),
  };
  return { frames, handled: () => handled(), channel: new Channel(notebook as unknown as Notebook, "c", "jupyter.widget") };
}

describe("a channel", () => {
  it("keeps what comes before the model listens, in order", () => {
    const { channel } = far();
    const heard: unknown[] = [];
    channel.deliver(sent({ data: { n: 1 } }));
    channel.deliver(sent({ data: { n: 2 } }));
    channel.on_msg((message) => heard.push((message as { content: { data: unknown } }).content.data));
    channel.deliver(sent({ data: { n: 3 } }));
    expect(heard).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("names its own frame as the cause of an echo, and nobody else's", () => {
    const { channel } = far();
    const parents: unknown[] = [];
    channel.on_msg((message) => parents.push((message as { parent_header?: unknown }).parent_header));
    channel.deliver(sent({ cause: { client: "me", id: "id7" } }));
    channel.deliver(sent({ cause: { client: "other", id: "id7" } }));
    expect(parents).toEqual([{ msg_id: "id7" }, undefined]);
  });

  it("sends binary parts as base64 and says when the kernel is done with it", async () => {
    const { channel, frames, handled } = far();
    const states: unknown[] = [];
    const callbacks = { iopub: { status: (message: { content: { execution_state: string } }) => void states.push(message.content.execution_state) } };
    const bytes = new Uint8Array([0, 255, 7]);
    expect(channel.send({ method: "update" }, callbacks as never, {}, [bytes])).toBe("id1");
    expect(frames[0]).toMatchObject({ type: "comm", commId: "c", phase: "msg", data: { method: "update" }, buffers: ["AP8H"] });
    expect(states).toEqual([]);
    handled();
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve));
    expect(states).toEqual(["idle"]);
  });

  it("sends nothing to a kernel that is gone", () => {
    const { channel, frames } = far();
    channel.cut();
    channel.close();
    expect(frames).toEqual([]);
  });
});

it("binary parts survive the way there and back", () => {
  const all = Uint8Array.from({ length: 70_000 }, (_, index) => index % 256);
  const [view] = viewsOf(sent({ buffers: [base64(all.subarray(3))] }));
  expect(new Uint8Array(view!.buffer)).toEqual(all.slice(3));
});

it("messages wait for a reader, then go straight to it", () => {
  let fold: (events: Event[]) => void = () => undefined;
  const mailbox = new Mailbox({ onFold: (listener: typeof fold) => (fold = listener) } as unknown as Store);
  fold([sent({ commId: "one" })]);
  const read: string[] = [];
  mailbox.read((message) => read.push(message.commId));
  fold([sent({ commId: "two" })]);
  expect(read).toEqual(["one", "two"]);
});

it("outputs of a file are read as ours, and nonsense is left out", () => {
  const state = [
    { output_type: "stream", name: "stderr", text: ["a", "b"] },
    { output_type: "nonsense" },
    { output_type: "execute_result", data: { "text/plain": "7" }, metadata: {} },
    { output_type: "error", ename: "E", evalue: "v", traceback: ["t"] },
  ];
  expect(outputsOf(state)).toEqual([
    { kind: "stream", index: 0, stream: "stderr", text: "ab" },
    { kind: "display", index: 1, data: { "text/plain": "7" }, metadata: {} },
    { kind: "error", index: 2, ename: "E", evalue: "v", traceback: ["t"] },
  ]);
  expect(outputsOf(undefined)).toEqual([]);
});
