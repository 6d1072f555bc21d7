/** The two chips that are always in sight: the connection to the gateway, and the kernel. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import type { ConnectionState } from "./connection";
import { useNotebook } from "./context";
import { Icon } from "./icons";
import type { KernelState } from "./protocol";

const CONNECTION_WORDS: Readonly<Record<ConnectionState, string>> = {
  connecting: "Connecting",
  attaching: "Connecting",
  replaying: "Catching up",
  loading: "Loading",
  live: "Connected",
  lost: "Offline",
};

export function ConnectionChip() {
  const { connection, outbox } = useNotebook();
  const state = connection.state.value;
  const waiting = outbox.waiting.value;
  return (
    <span class="chip connection" data-testid="connection" data-state={state} title={connection.lastReason.value}>
      <span class="dot" aria-hidden="true" />
      <span class="word">{CONNECTION_WORDS[state]}</span>
      {state === "lost" && <Retry />}
      {state !== "live" && waiting > 0 && <span class="detail">{waiting} unsent</span>}
    </span>
  );
}

function Retry() {
  const { connection } = useNotebook();
  const left = useSignal(0);
  useEffect(() => {
    const count = () => (left.value = Math.max(0, ((connection.retryAt.peek() ?? 0) - Date.now()) / 1000));
    count();
    const timer = setInterval(count, 250);
    return () => clearInterval(timer);
  }, []);
  return (
    <>
      {left.value >= 1 && <span class="detail">again in {Math.ceil(left.value)} s</span>}
      <button class="quiet" onClick={() => connection.retryNow()}>Retry now</button>
    </>
  );
}

const KERNEL_WORDS: Readonly<Record<KernelState, string>> = {
  starting: "Kernel starting",
  idle: "Kernel idle",
  busy: "Kernel busy",
  unresponsive: "Kernel busy, not answering",
  dead: "Kernel stopped",
  restarting: "Kernel restarting",
};

function RestartQuestion() {
  const notebook = useNotebook();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => (notebook.asksToRestart.value = false);
  return (
    <dialog ref={dialog} class="question" aria-label="Restart the kernel?" onClose={close}>
      <p>Restart the kernel? All variables go; code and outputs stay.</p>
      <p class="row">
        <button class="primary" autofocus onClick={() => notebook.restartKernel(true)}>Restart</button>
        <button onClick={close}>Cancel</button>
      </p>
    </dialog>
  );
}

export function KernelChip() {
  const notebook = useNotebook();
  const { state, queue, cause } = notebook.store.kernel.value;
  return (
    <span class="chip kernel" data-testid="kernel" data-state={state} title={cause}>
      <span class="dot" aria-hidden="true" />
      <span class="word">{KERNEL_WORDS[state]}</span>
      {queue !== undefined && queue > 1 && <span class="detail">{queue} queued</span>}
      <button class="bare" aria-label="Interrupt" title="Interrupt the run" disabled={state !== "busy" && state !== "unresponsive"}
        onClick={() => notebook.interrupt()}>
        <Icon name="stop" />
      </button>
      <button class="bare" aria-label="Restart kernel" title="Restart the kernel: all variables go"
        onClick={() => notebook.restartKernel()}>
        <Icon name="restart" />
      </button>
      {notebook.asksToRestart.value && <RestartQuestion />}
    </span>
  );
}
