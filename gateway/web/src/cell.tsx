/** One cell: its head, its code, what is wrong with it, what it printed. */

import { type ReadonlySignal, useComputed } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { CellEditor } from "./cell_editor";
import { CellHead } from "./cell_head";
import { CellLinks, LinkedText } from "./cell_link";
import { mentions } from "./cell_mentions";
import { shownState, TYPE_WORDS } from "./cell_state";
import { ConflictNote } from "./conflict_note";
import { useNotebook } from "./context";
import type { Draft } from "./draft";
import type { Editor } from "./editor";
import { Markdown } from "./markdown_cell";
import { memo } from "./memo";
import { Outputs } from "./outputs/view";
import { ProblemNote } from "./problem_note";
import type { Cell, Diagnostic } from "./protocol";
import { StdinPrompt } from "./stdin_prompt";
import { hiddenCodes, hiddenOutputs, toggleCode, toggleOutput } from "./view_settings";

export const CellView = memo(function CellView({ cellId, number }: { cellId: string; number: number }) {
  const notebook = useNotebook();
  const signal = notebook.store.cell(cellId);
  return signal ? <Present signal={signal} number={number} /> : null;
}, (before, after) => before.cellId === after.cellId && before.number === after.number);

function Present({ signal, number }: { signal: ReadonlySignal<Cell>; number: number }) {
  const notebook = useNotebook();
  const cell = signal.value;
  const { id } = cell;
  const draft = notebook.draft(id)!;
  const editor = useRef<Editor | undefined>(undefined);
  const section = useRef<HTMLElement>(null);
  // While nobody answers, a text in the queue is as little sent as one in the editor.
  const kept = useComputed(() =>
    notebook.connection.state.value !== "live" && notebook.outbox.waiting.value > 0 && notebook.outbox.codeFor(id) !== undefined);
  const edited = draft.edited.value || kept.value;
  const state = shownState(cell, edited);
  const leave = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(leave.current), []);
  const gotoLine = (line: number) => {
    const view = editor.current?.view;
    if (!view) return notebook.focus(id);
    const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
    view.dispatch({ selection: { anchor: at.from }, scrollIntoView: true });
    view.focus();
  };
  return (
    <section
      class="cell" ref={section} id={`cell-${id}`} tabIndex={-1}
      data-cell-id={id} data-status={cell.status} data-type={cell.type} data-mode={cell.mode}
      data-code={hiddenCodes.value.has(id) ? "hidden" : undefined}
      data-output={hiddenOutputs.value.has(id) ? "hidden" : undefined} data-edited={edited || undefined}
      aria-label={`Cell ${number}, ${TYPE_WORDS[cell.type]}, ${state.word}`}
      onFocusIn={({ target }) => {
        clearTimeout(leave.current);
        notebook.focusing.writing = target instanceof HTMLElement && target.isContentEditable;
        notebook.focused.value = id;
        notebook.selected = id;
      }}
      onFocusOut={() => {
        leave.current = setTimeout(() => {
          if (notebook.focused.peek() === id && section.current?.isConnected) notebook.focused.value = undefined;
        });
      }}
    >
      <CellHead cell={cell} number={number} draft={draft} state={state} />
      {hiddenCodes.value.has(id) && cell.type !== "markdown" && (
        <button class="quiet folded" onClick={() => toggleCode(id)}>Show the code</button>
      )}
      {cell.type === "markdown" ? (
        <Markdown cell={cell} onReady={(made) => (editor.current = made)} />
      ) : (
        <CellEditor cellId={id} type={cell.type} onReady={(made) => (editor.current = made)} />
      )}
      <Diagnostics diagnostics={cell.diagnostics} own={id} draft={draft} gotoLine={gotoLine} />
      <ProblemNote place={id} />
      <ConflictNote cellId={id} />
      <StdinPrompt cellId={id} />
      {hiddenOutputs.value.has(id) && cell.outputs.length > 0 && (
        <button class="quiet folded" onClick={() => toggleOutput(id)}>Show the output</button>
      )}
      {(cell.outputs.length > 0 || cell.omittedBytes !== undefined) && (
        <Outputs cell={cell} outputs={cell.outputs} omittedBytes={cell.omittedBytes} gotoLine={gotoLine} />
      )}
      {cell.outputs.length === 0 && cell.omittedBytes === undefined && <div class="outputs" hidden />}
    </section>
  );
}

interface DiagnosticsProps {
  diagnostics: readonly Diagnostic[];
  own: string;
  draft: Draft;
  gotoLine: (line: number) => void;
}

/** While somebody types, what analysis said of the former text is kept quiet. */
function Diagnostics({ diagnostics, own, draft, gotoLine }: DiagnosticsProps) {
  if (diagnostics.length === 0) return null;
  const typing = draft.phase.value === "counting";
  return (
    <ul class="diagnostics" data-quiet={typing || undefined}>
      {diagnostics.map((one, index) => {
        const others = (one.cells ?? []).filter((cellId) => cellId !== own && !mentions(one.message, cellId));
        return (
          <li key={index} data-kind={one.kind}>
            <LinkedText text={one.line === undefined ? one.message : one.message.replace(` (line ${one.line})`, "")} />
            {others.length > 0 && (
              <span class="others">
                {" "}
                See <CellLinks cells={others} />.
              </span>
            )}
            {one.line !== undefined && (
              <button class="quiet" onClick={() => gotoLine(one.line!)}>
                line {one.line}
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
