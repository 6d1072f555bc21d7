/** Draws the outputs of one cell, in order of arrival. An output that did not change is not drawn again. */

import { memo } from "../memo";
import { useEffect, useRef, useState } from "preact/hooks";

import { LinkedText } from "../cell_link";
import { byteCount } from "../cell_state";
import type { Cell, DisplayOutput, ErrorOutput, Output, ResultOutput, StreamOutput } from "../protocol";
import { blob } from "../session";
import { dark } from "../theme";
import { asText, choose, isRemote, type Remote } from "./registry";
import "./renderers";
import { Table } from "./table";
import { tableOf } from "./table_source";
import { drawText, fillText, tailOf } from "./text";
import { fillTraceback, ownLine } from "./traceback";

const TAIL = 200; // lines of a stream that are shown at first

export function Outputs({ cell, outputs, omittedBytes, gotoLine }: {
  cell: Pick<Cell, "id" | "type">;
  outputs: readonly Output[];
  omittedBytes: number | undefined;
  gotoLine: (line: number) => void;
}) {
  return (
    <div class="outputs">
      {outputs.map((output) => (
        <One key={`${output.index}-${output.kind}`} cell={cell} output={output} gotoLine={gotoLine} />
      ))}
      {omittedBytes !== undefined && <p class="omitted">{byteCount(omittedBytes)} more were left out.</p>}
    </div>
  );
}

interface OneProps {
  cell: Pick<Cell, "id" | "type">;
  output: Output;
  gotoLine: (line: number) => void;
}

const One = memo(function One({ cell, output, gotoLine }: OneProps) {
  switch (output.kind) {
    case "stream":
      return <Stream output={output} />;
    case "error":
      return <Failure cellId={cell.id} output={output} gotoLine={gotoLine} />;
    case "display":
    case "result": {
      const source = tableOf(cell.type, output);
      return source ? <Table cellId={cell.id} output={output} source={source} /> : <Rich output={output} />;
    }
  }
}, (before, after) => before.output === after.output);

function Stream({ output }: { output: StreamOutput }) {
  const block = useRef<HTMLPreElement>(null);
  const [all, setAll] = useState(false);
  const { text, hidden } = all ? { text: output.text, hidden: 0 } : tailOf(output.text, TAIL);
  useEffect(() => fillText(block.current!, text), [text]);
  return (
    <div class="output" data-kind="stream" data-stream={output.stream}>
      {hidden > 0 && (
        <button class="quiet" onClick={() => setAll(true)}>
          Show {hidden.toLocaleString()} earlier lines
        </button>
      )}
      <pre class="text" ref={block} tabIndex={hidden > 0 ? 0 : undefined} />
    </div>
  );
}

function Failure({ cellId, output, gotoLine }: { cellId: string; output: ErrorOutput; gotoLine: (line: number) => void }) {
  const { ename, evalue, traceback } = output;
  const line = output.line ?? ownLine(traceback, cellId);
  const details = useRef<HTMLDivElement>(null);
  const waiting = ename === "UpstreamError";
  useEffect(() => {
    if (details.current) fillTraceback(details.current, traceback);
  }, [traceback]);
  return (
    <div class={`output failure ${waiting ? "waiting" : ""}`} data-kind="error">
      <p class="error-line">
        <strong>{waiting ? "Not run" : ename}</strong>: <LinkedText text={evalue} />
        {line !== undefined && (
          <button class="quiet" onClick={() => gotoLine(line)}>
            line {line}
          </button>
        )}
      </p>
      {!waiting && traceback.length > 0 && (
        <details>
          <summary>Traceback</summary>
          <div class="traceback" ref={details} />
        </details>
      )}
    </div>
  );
}

export function Rich({ output }: { output: DisplayOutput | ResultOutput }) {
  const choice = choose(output.data);
  const [fetched, setFetched] = useState<unknown>();
  const place = useRef<HTMLDivElement>(null);
  const value = choice && output.data[choice.mime];
  const remote = isRemote(value) && fetched === undefined;
  const isDark = dark.value;
  useEffect(() => {
    if (!choice || remote) return;
    // A fresh element for each attempt: the clean-up of an older one must not empty what a newer one drew.
    const into = document.createElement("div");
    let free: (() => void) | undefined;
    let gone = false;
    const context = { mime: choice.mime, metadata: output.metadata, plain: plainOf(output), dark: isDark };
    Promise.resolve(choice.renderer.load())
      .then((draw) => {
        if (gone) return;
        place.current!.replaceChildren(into);
        free = draw(into, fetched ?? value, context);
      })
      .catch((error: unknown) => {
        console.warn("An output could not be drawn.", error);
        if (!gone) drawText(into, plainOf(output), context);
      });
    return () => {
      gone = true;
      free?.();
    };
  }, [output, isDark, fetched]);
  return (
    <div class="output rich" data-kind={output.kind} data-mime={choice?.mime}>
      {choice === undefined && <p class="omitted">Nothing here can show {Object.keys(output.data).join(", ") || "this output"}.</p>}
      {remote && <Fetch remote={value} mime={choice!.mime} done={setFetched} />}
      <div ref={place} />
    </div>
  );
}

function plainOf(output: DisplayOutput | ResultOutput): string {
  const plain = output.data["text/plain"];
  return plain === undefined || isRemote(plain) ? "" : asText(plain);
}

function Fetch({ remote, mime, done }: { remote: Remote; mime: string; done: (value: unknown) => void }) {
  const [state, setState] = useState<"idle" | "loading" | string>("idle");
  const load = async () => {
    setState("loading");
    try {
      const content = await blob(remote.$url);
      done(/^image\/(?!svg)/.test(mime) ? await base64(content) : await content.text());
    } catch (error) {
      setState(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <p class="omitted">
      <button class="quiet" disabled={state === "loading"} onClick={() => void load()}>
        Show {byteCount(remote.bytes)} of {mime}
      </button>
      {state !== "idle" && state !== "loading" && ` ${state}`}
    </p>
  );
}

function base64(content: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error ?? new Error("The output could not be read."));
    reader.readAsDataURL(content);
  });
}
