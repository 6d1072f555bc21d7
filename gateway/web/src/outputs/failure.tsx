/** An error of a cell: one line with a link to where it happened, the traceback folded, frames of libraries folded in it. */

import { useLayoutEffect, useRef } from "preact/hooks";

import { CellLink, LinkedText } from "../cell_link";
import type { ErrorOutput } from "../protocol";
import { countedFrames, grouped, type Group, ownLine } from "./traceback";
import { fillText } from "./text";

type GotoLine = (line: number) => void;

export function Failure({ cellId, output, gotoLine }: { cellId: string; output: ErrorOutput; gotoLine: GotoLine }) {
  const { ename, evalue, traceback } = output;
  const line = output.line ?? ownLine(traceback, cellId);
  const waiting = ename === "UpstreamError";
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
          <div class="traceback">
            {grouped(traceback).map((group, index) => <Frames key={index} group={group} cellId={cellId} gotoLine={gotoLine} />)}
          </div>
        </details>
      )}
    </div>
  );
}

function Frames({ group, cellId, gotoLine }: { group: Group; cellId: string; gotoLine: GotoLine }) {
  const { text, library, count, cell } = group;
  if (library) {
    return (
      <details class="library">
        <summary>{countedFrames(count)}</summary>
        <Coloured text={text} />
      </details>
    );
  }
  if (!cell) return <Coloured text={text} />;
  return (
    <div class="frame-of-cell">
      <div>
        <CellLink cellId={cell.id} />
        {cell.id === cellId ? <button class="quiet" onClick={() => gotoLine(cell.line)}>line {cell.line}</button> : `, line ${cell.line}`}
        {cell.rest}
      </div>
      <Coloured text={text} />
    </div>
  );
}

function Coloured({ text }: { text: string }) {
  const block = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => fillText(block.current!, text), [text]);
  return <div ref={block} />;
}
