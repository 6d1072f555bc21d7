/** stdout and stderr of a cell, as a terminal would show them: their last lines, the rest on request or as a file. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";

import { byteCount } from "../cell_state";
import type { Output, StreamOutput } from "../protocol";
import { saveText } from "./saving";
import { Terminal } from "./terminal";
import { fillText, shortened } from "./text";

const TAIL = 200; // lines that are shown at first
const STEP = 10; // times as many with each request
const FITS = 20; // lines that need no scrolling
const NEAR_END = 40; // px within which a reader follows what comes

export function Stream({ output, name }: { output: StreamOutput; name: string }) {
  const block = useRef<HTMLPreElement>(null);
  const [lines, setLines] = useState(TAIL);
  const [whole, setWhole] = useState(false);
  const screen = useRef<Terminal>(null);
  const terminal = (screen.current ??= new Terminal());
  terminal.show(output.text);
  const tail = terminal.tail(lines);
  const { text, longest } = whole ? { text: tail, longest: 0 } : shortened(tail);
  const hidden = Math.max(0, terminal.height - lines);
  const more = Math.min(hidden, lines * (STEP - 1));
  useLayoutEffect(() => {
    const { current: place } = block;
    const atEnd = place!.scrollHeight - place!.scrollTop - place!.clientHeight < NEAR_END;
    fillText(place!, text);
    if (atEnd && lines === TAIL) place!.scrollTop = place!.scrollHeight;
  }, [text]);
  return (
    <div class="output" data-kind="stream" data-stream={output.stream} data-progress={terminal.overwrote || undefined}>
      {(hidden > 0 || lines > TAIL || whole || longest > 0) && (
        <p class="omitted">
          {hidden > 0 && (
            <button class="quiet" onClick={() => setLines(lines * STEP)}>
              Show {more.toLocaleString()}{more < hidden && ` of ${hidden.toLocaleString()}`} earlier lines
            </button>
          )}
          {longest > 0 && (
            <button class="quiet" onClick={() => setWhole(true)}>Show all {longest.toLocaleString()} characters</button>
          )}
          {(lines > TAIL || whole) && (
            <button class="quiet" onClick={() => (setLines(TAIL), setWhole(false))}>Show less</button>
          )}
          <button class="quiet" onClick={() => saveText(output.text, `${name}.${output.stream}.txt`)}>
            Save as text ({byteCount(output.text.length)})
          </button>
        </p>
      )}
      <pre class="text" ref={block} tabIndex={terminal.height > FITS ? 0 : undefined} />
    </div>
  );
}

/**
 * A bar on one stream is cut in pieces by what is printed on the other. A piece without a line end that the next piece
 * of its stream writes over is not shown: the bar is there once, at its newest place.
 */
export function isOverwritten(outputs: readonly Output[], index: number): boolean {
  const piece = outputs[index]!;
  if (piece.kind !== "stream" || piece.text.includes("\n")) return false;
  const next = outputs.slice(index + 1).find((later) => later.kind === "stream" && later.stream === piece.stream);
  return next?.kind === "stream" && next.text.startsWith("\r");
}
