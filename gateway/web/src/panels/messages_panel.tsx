/** Every frame between this page and the gateway, while the panel is open. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { byteCount } from "../cell_state";
import { useNotebook } from "../context";
import type { NewCommand } from "../outbox";
import { type Entry, filtered, MessageLog } from "./message_log";

const DRAW_EVERY = 250; // ms
const DRAWN = 200; // rows

export function MessagesPanel() {
  const { connection } = useNotebook();
  const log = useRef(new MessageLog()).current;
  const tick = useSignal(0);
  const paused = useSignal(false);
  const query = useSignal("");
  useEffect(() => {
    connection.tap = (direction, frame) => {
      if (!paused.peek()) log.add(direction, frame, performance.now());
    };
    const timer = setInterval(() => (tick.value += 1), DRAW_EVERY);
    return () => {
      connection.tap = undefined;
      clearInterval(timer);
    };
  }, []);
  const shown = filtered(log.entries, query.value);
  return (
    <>
      <Figures log={log} tick={tick.value} />
      <p class="row">
        <input type="search" aria-label="Filter messages" placeholder="Filter: type, in, out, id" value={query.value} onInput={(event) => (query.value = event.currentTarget.value)} />
        <button aria-pressed={paused.value} onClick={() => (paused.value = !paused.value)}>Pause</button>
        <button onClick={() => (log.clear(), (tick.value += 1))}>Clear</button>
      </p>
      {log.entries.length === 0 && <p class="empty">Frames appear here as they go out and come in. The last 1,000 are kept while this panel is open.</p>}
      <ol class="messages" data-testid="messages">
        {shown.slice(-DRAWN).reverse().map((entry) => <Row key={entry.n} entry={entry} />)}
      </ol>
    </>
  );
}

/** `tick` differs each time it shall be drawn again. */
function Figures({ log }: { log: MessageLog; tick: number }) {
  const { connection } = useNotebook();
  const { p50, p99, rate } = log.figures(performance.now());
  const reason = connection.lastReason.value;
  return (
    <dl class="figures" data-testid="figures">
      <div><dt>answer p50</dt><dd>{milliseconds(p50)}</dd></div>
      <div><dt>p99</dt><dd>{milliseconds(p99)}</dd></div>
      <div><dt>frames/s</dt><dd>{rate.toFixed(1)}</dd></div>
      <div><dt>reconnects</dt><dd title={reason}>{connection.reconnects.value}{reason !== "" && `: ${reason}`}</dd></div>
    </dl>
  );
}

function milliseconds(ms: number | undefined): string {
  return ms === undefined ? "–" : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function Row({ entry }: { entry: Entry }) {
  const notebook = useNotebook();
  const open = useSignal(false);
  const { direction, type, cause, bytes, ms, frame, masked } = entry;
  const text = () => JSON.stringify(frame, null, 2);
  const again = () => {
    const { id: _, ...command } = frame as { id?: string };
    notebook.outbox.add(command as NewCommand);
  };
  return (
    <li data-direction={direction} data-type={type}>
      <button class="frame-line" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <span class="arrow">{direction === "in" ? "in" : "out"}</span>
        <code class="frame-type">{type}</code>
        <span class="cause">{cause}</span>
        <span class="size">{byteCount(bytes)}</span>
        <span class="delay">{ms !== undefined && milliseconds(ms)}</span>
      </button>
      {open.value && (
        <div class="frame-body">
          <pre tabIndex={0}>{text().slice(0, 20_000)}</pre>
          <p class="row">
            <button onClick={() => void navigator.clipboard.writeText(text())}>Copy as JSON</button>
            {direction === "out" && type !== "attach" && type !== "ping" && !masked && <button onClick={again}>Send again</button>}
          </p>
        </div>
      )}
    </li>
  );
}
