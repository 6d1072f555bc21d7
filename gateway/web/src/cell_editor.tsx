/** The place of a cell's editor: plain text until CodeMirror is there and the cell is near the screen. */

import { useEffect, useRef } from "preact/hooks";

import { goToDefinition, splitCell } from "./cell_actions";
import { useNotebook } from "./context";
import type { Editor } from "./editor";
import type { Stretch } from "./focus";
import type { CellType } from "./protocol";

const NEAR = "1200px"; // around the screen, where editors are made

let chunk: Promise<typeof import("./editor")> | undefined;

/** Start loading CodeMirror; the page calls it before it needs it. */
export function loadEditor(): Promise<typeof import("./editor")> {
  return (chunk ??= import("./editor"));
}

export interface CellEditorProps {
  cellId: string;
  type: CellType;
  /** Told when focus enters or leaves, after the draft knows. */
  onFocus?: () => void;
  onBlur?: () => void;
  autofocus?: boolean;
  onReady?: (editor: Editor) => void;
}

export function CellEditor({ cellId, type, onFocus, onBlur, autofocus, onReady }: CellEditorProps) {
  const notebook = useNotebook();
  const place = useRef<HTMLDivElement>(null);
  const editor = useRef<Editor | undefined>(undefined);
  const latest = useRef({ onFocus, onBlur });
  latest.current = { onFocus, onBlur };

  useEffect(() => {
    const host = place.current!;
    const draft = notebook.draft(cellId);
    if (!draft) return;
    let gone = false;
    let focusWhenReady = autofocus ?? false;
    let wantedStretch: Stretch | undefined;
    const take = (made: Editor, stretch?: Stretch) => {
      made.focus(stretch);
      notebook.typeahead.release(made.press);
    };
    const make = async () => {
      seen.disconnect();
      const { createEditor } = await loadEditor();
      if (gone || editor.current) return;
      host.replaceChildren();
      editor.current = createEditor(host, cellId, draft.text, type, {
        found: notebook.found,
        changed: (text) => draft.input(text),
        focused: () => latest.current.onFocus?.(),
        blurred: () => {
          draft.blur();
          latest.current.onBlur?.();
        },
        run: () => notebook.runCell(cellId),
        runAndAdvance: () => notebook.runAndAdvance(cellId),
        runAndInsert: () => notebook.runAndInsert(cellId),
        split: (before, after) => splitCell(notebook, cellId, before, after),
        escaped: () => {
          draft.cancel();
          host.closest<HTMLElement>("section")?.focus();
        },
        complete: (code, cursor) => notebook.complete(cellId, code, cursor),
        define: (name) => goToDefinition(notebook, cellId, name),
        rename: (name) => notebook.startRenaming(name),
        completeSql: async (at) => (await import("./sql_completion")).completeSql(notebook, cellId, at),
        card: async (code, cursor, name, explicit) => {
          const { cardOf } = await import("./name_card");
          return cardOf(notebook, { cellId, code, cursor, name, explicit, python: notebook.store.cell(cellId)?.peek().type === "python" });
        },
        leave: (by) => {
          const order = notebook.store.order.peek();
          const next = order[order.indexOf(cellId) + by];
          if (next !== undefined) notebook.focus(next);
          return next !== undefined;
        },
      });
      onReady?.(editor.current);
      if (focusWhenReady) take(editor.current, wantedStretch);
      else if (wantedStretch) editor.current.reveal(wantedStretch);
    };
    const seen = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && void make(), {
      rootMargin: NEAR,
    });
    seen.observe(host);
    const unmount = notebook.mounted(cellId, {
      focus(stretch) {
        focusWhenReady = true;
        wantedStretch = stretch;
        if (editor.current) take(editor.current, stretch);
        else void make();
        return true;
      },
      press: (event) => editor.current?.press(event),
      select() {
        host.closest<HTMLElement>("section")?.focus();
      },
      reveal(stretch) {
        wantedStretch = stretch;
        if (editor.current) editor.current.reveal(stretch);
        else void make();
      },
      selection: () => editor.current?.view.state.selection.main,
      split: () => editor.current?.split(),
      nameAtCursor: () => editor.current?.nameAtCursor(),
      setText(text) {
        if (editor.current) editor.current.setText(text);
        else host.replaceChildren(plain(text));
      },
    });
    host.replaceChildren(plain(draft.text));
    return () => {
      gone = true;
      seen.disconnect();
      unmount();
      editor.current?.view.destroy();
      editor.current = undefined;
    };
  }, [cellId]);

  useEffect(() => editor.current?.setType(type), [type]);

  return <div class="editor" data-empty-hint={HINTS[type]} ref={place} />;
}

const HINTS: Readonly<Record<CellType, string>> = {
  python: "Python. Shift-Enter runs.",
  sql: "SELECT … from a table, or from a DataFrame by its name",
  markdown: "Markdown text",
};

/** The same lines that CodeMirror will draw, so that nothing moves when it comes. */
function plain(text: string): HTMLElement {
  const block = document.createElement("div");
  block.className = "cm-plain";
  for (const line of text.split("\n")) {
    const row = document.createElement("div");
    row.className = "cm-line";
    row.textContent = line;
    if (line === "") row.append(document.createElement("br"));
    block.append(row);
  }
  return block;
}
