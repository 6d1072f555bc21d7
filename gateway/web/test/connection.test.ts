/** States, back-off, heartbeat, and that an old socket has no voice. */

import { beforeEach, expect, it } from "vitest";

import { Connection, type Frame } from "../src/connection";
import type { Event } from "../src/protocol";
import { FakeNetwork } from "./fakes";

let network: FakeNetwork;
let connection: Connection;
let frames: Frame[];
let told: string[];

beforeEach(() => {
  network = new FakeNetwork();
  frames = [];
  told = [];
  connection = new Connection(network, {
    attach: () => ({ client: "me", since: { epoch: "e1", seq: 10 } }),
    frame: (frame) => frames.push(frame),
    live: () => told.push("live"),
    lost: () => told.push("lost"),
    refused: (code) => told.push(code),
  });
});

const event = (seq: number): Event => ({ type: "cell_deleted", seq, ts: 0, notebookId: "n", cellId: "c" });

it("is live at once when nothing was missed", () => {
  connection.start();
  expect(connection.state.value).toBe("connecting");
  network.socket.onopen?.();
  expect(connection.state.value).toBe("attaching");
  expect(network.socket.sent[0]).toMatchObject({ type: "attach", client: "me", since: { epoch: "e1", seq: 10 } });
  network.socket.says({ type: "ack", id: network.socket.sent[0]!["id"], revision: 1, seq: 10, result: { mode: "replay" } });
  expect(connection.state.value).toBe("live");
  expect(told).toEqual(["live"]);
});

it("is live after the last replayed event", () => {
  connection.start();
  network.socket.attaches("replay", 12);
  expect(connection.state.value).toBe("replaying");
  network.socket.says([event(11)]);
  expect(connection.state.value).toBe("replaying");
  network.socket.says([event(12), event(13)]);
  expect(connection.state.value).toBe("live");
  expect(frames.map((frame) => "seq" in frame && frame.seq)).toEqual([11, 12, 13]);
});

it("loads a snapshot when the gateway cannot replay", () => {
  connection.start();
  network.socket.attaches("snapshot", 40);
  expect(connection.state.value).toBe("loading");
  network.socket.says({ type: "snapshot", epoch: "e2", seq: 40 });
  expect(connection.state.value).toBe("live");
});

it("waits 0.25 s, then twice as long each time, and never more than 10 s", () => {
  connection.start();
  const waits: number[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    network.socket.breaks();
    expect(connection.state.value).toBe("lost");
    waits.push(connection.retryAt.value! - network.now());
    network.pass(waits.at(-1)!);
    expect(network.sockets.length).toBe(attempt + 2);
  }
  expect(waits).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
});

it("shortens the wait by chance, by half at most", () => {
  network.dice = 0;
  connection.start();
  network.socket.breaks();
  expect(connection.retryAt.value).toBe(125);
});

it("begins with the shortest wait again once it was live", () => {
  connection.start();
  network.socket.breaks();
  network.pass(250);
  network.socket.breaks();
  network.pass(500);
  network.socket.attaches("replay", 10);
  network.socket.breaks();
  expect(connection.retryAt.value! - network.now()).toBe(250);
  expect(connection.reconnects.value).toBe(1);
});

it("does not wait when told to try now, and keeps one socket", () => {
  connection.start();
  connection.retryNow();
  expect(network.sockets.length).toBe(1);
  network.socket.breaks();
  connection.retryNow();
  expect(network.sockets.length).toBe(2);
  network.pass(60_000);
  expect(network.sockets.filter((socket) => !socket.closed).length).toBeLessThanOrEqual(1);
});

it("pings every 10 s and gives the gateway 5 s to answer", () => {
  connection.start();
  network.socket.attaches("replay", 10);
  network.pass(10_000);
  expect(network.socket.sent.at(-1)).toMatchObject({ type: "ping" });
  network.socket.says({ type: "pong", id: "x", serverTime: 0 });
  network.pass(9_999);
  expect(network.socket.sent.filter((frame) => frame["type"] === "ping").length).toBe(1);
  network.pass(1);
  expect(network.socket.sent.filter((frame) => frame["type"] === "ping").length).toBe(2);
  network.pass(4_999);
  expect(connection.state.value).toBe("live");
  network.pass(1);
  expect(connection.state.value).toBe("lost");
  expect(network.sockets[0]!.closed).toBe(true);
});

it("does not ping while nobody looks", () => {
  network.inSight = false;
  connection.start();
  network.socket.attaches("replay", 10);
  network.pass(100_000);
  expect(network.socket.sent.length).toBe(1);
  network.inSight = true;
  connection.wake();
  expect(network.socket.sent.at(-1)).toMatchObject({ type: "ping" });
});

it("drops what an old socket still says", () => {
  connection.start();
  network.socket.attaches("replay", 10);
  const old = network.socket;
  connection.reattach("a gap");
  expect(network.sockets.length).toBe(2);
  old.says(event(11));
  old.breaks();
  expect(frames).toEqual([]);
  network.socket.attaches("replay", 11);
  network.socket.says(event(11));
  expect(frames.length).toBe(1); // the control: the new one is heard
});

it("gives up on a gateway that takes no attach, and tries again", () => {
  connection.start();
  network.socket.onopen?.();
  network.pass(10_000);
  expect(connection.state.value).toBe("lost");
});

it("tells why it was turned away, and asks again", () => {
  connection.start();
  network.socket.breaks(4401);
  expect(told).toEqual(["not_logged_in", "lost"]);
  network.pass(250);
  network.socket.onopen?.();
  network.socket.says({ type: "error", id: network.socket.sent[0]!["id"], code: "forbidden", message: "no" });
  expect(told).toEqual(["not_logged_in", "lost", "forbidden", "lost"]);
});

it("sends nothing unless it is live", () => {
  connection.start();
  expect(connection.send({ type: "run_all", id: "1" })).toBe(false);
  network.socket.attaches("replay", 10);
  expect(connection.send({ type: "run_all", id: "1" })).toBe(true);
});

it("leaves no timer and no socket behind when stopped", () => {
  connection.start();
  network.socket.attaches("replay", 10);
  connection.stop();
  expect(network.socket.closed).toBe(true);
  expect(network.pending).toBe(0);
});
