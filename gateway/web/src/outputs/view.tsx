/** Draws the outputs of one cell, in order of arrival. An output that did not change is not drawn again. */

import { memo } from "../memo";
import { useEffect, useRef, useState } from "preact/hooks";

import { useNotebook } from "../context";
import { byteCount } from "../cell_state";
import type { Cell, DisplayOutput, Output, ResultOutput } from "../protocol";
import { blob } from "../session";
import { dark } from "../theme";
import { Failure } from "./failure";
import { asText, choose, isRemote, type Remote } from "./registry";
import "./renderers";
import { endingOf, saveBlob, saveText } from "./saving";
import { isOverwritten, Stream } from "./stream";
import { Table } from "./table";
import { tableOf } from "./table_source";
import { drawText } from "./text";

/** `inside`: of a widget in an output. */
export function Outputs({ cell, outputs, omittedBytes, gotoLine, inside = false }: {
  cell: Pick<Cell, "id" | "type">;
  outputs: readonly Output[];
  omittedBytes: number | undefined;
  gotoLine: (line: number) => void;
  inside?: boolean;
}) {
  return (
    <div class={inside ? "inner-outputs" : "outputs"}>
      {outputs.map((output, index) =>
        isOverwritten(outputs, index) ? null : (
          <One key={`${output.index}-${output.kind}`} cell={cell} output={output} gotoLine={gotoLine} />
        ),
      )}
      {omittedBytes !== undefined && <Omitted cellId={cell.id} outputs={outputs} bytes={omittedBytes} />}
    </div>
  );
}

/** What did not fit is nowhere; what did can be taken away. */
function Omitted({ cellId, outputs, bytes }: { cellId: string; outputs: readonly Output[]; bytes: number }) {
  const kept = outputs.map((output) => (output.kind === "stream" ? output.text : "")).join("");
  return (
    <p class="omitted" data-testid="omitted">
      {byteCount(bytes)} omitted: a cell keeps 8 MB, a notebook 64 MB.
      {kept !== "" && (
        <button class="quiet" onClick={() => saveText(kept, `${cellId}.txt`)}>
          Save the {byteCount(kept.length)} that were kept
        </button>
      )}
    </p>
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
      return <Stream output={output} name={cell.id} />;
    case "error":
      return <Failure cellId={cell.id} output={output} gotoLine={gotoLine} />;
    case "display":
    case "result": {
      const source = tableOf(cell.type, output);
      return source ? <Table cellId={cell.id} output={output} source={source} /> : <Rich output={output} />;
    }
  }
}, (before, after) => before.output === after.output);

export function Rich({ output }: { output: DisplayOutput | ResultOutput }) {
  const choice = choose(output.data);
  const [fetched, setFetched] = useState<{ url: string; value: unknown } | undefined>();
  const place = useRef<HTMLDivElement>(null);
  const value = choice && output.data[choice.mime];
  const got = isRemote(value) && fetched?.url === value.$url ? fetched : undefined;
  const remote = isRemote(value) && got === undefined;
  const isDark = dark.value;
  const notebook = useNotebook();
  useEffect(() => {
    if (!choice || remote) return;
    // A fresh element for each attempt: the clean-up of an older one must not empty what a newer one drew.
    const into = document.createElement("div");
    let free: (() => void) | undefined;
    let gone = false;
    const context = { mime: choice.mime, metadata: output.metadata, plain: plainOf(output), dark: isDark, notebook };
    Promise.resolve(choice.renderer.load())
      .then((draw) => {
        if (gone) return;
        place.current!.replaceChildren(into);
        free = draw(into, got ? got.value : value, context);
      })
      .catch((error: unknown) => {
        console.warn("An output could not be drawn.", error);
        if (!gone) drawText(into, plainOf(output), context);
      });
    return () => {
      gone = true;
      free?.();
    };
  }, [output, isDark, got]);
  return (
    <div class="output rich" data-kind={output.kind} data-mime={choice?.mime}>
      {choice === undefined && <p class="omitted">Nothing here can show {Object.keys(output.data).join(", ") || "this output"}.</p>}
      {remote && <Fetch remote={value} mime={choice!.mime} name={`${output.index}`} done={(content) => setFetched({ url: value.$url, value: content })} />}
      <div ref={place} />
    </div>
  );
}

function plainOf(output: DisplayOutput | ResultOutput): string {
  const plain = output.data["text/plain"];
  return plain === undefined || isRemote(plain) ? "" : asText(plain);
}

const AT_ONCE = 16 * 2 ** 20; // bytes of a picture that is fetched without being asked for

function Fetch({ remote, mime, name, done }: { remote: Remote; mime: string; name: string; done: (value: unknown) => void }) {
  const [state, setState] = useState<"idle" | "loading" | string>("idle");
  const isPicture = /^image\/(?!svg)/.test(mime);
  const take = async (then: (content: Blob) => unknown) => {
    setState("loading");
    try {
      await then(await blob(remote.$url));
      setState("idle");
    } catch (error) {
      setState(error instanceof Error ? error.message : String(error));
    }
  };
  const show = () => take(async (content) => done(isPicture ? await base64(content) : await content.text()));
  useEffect(() => {
    if (isPicture && remote.bytes <= AT_ONCE) void show();
  }, [remote.$url]);
  return (
    <p class="omitted">
      <button class="quiet" disabled={state === "loading"} onClick={() => void show()}>
        Show {byteCount(remote.bytes)} of {mime}
      </button>
      <button class="quiet" disabled={state === "loading"} onClick={() => void take((content) => saveBlob(content, `output-${name}.${endingOf(mime)}`))}>
        Save it as a file
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
