/** A markdown cell: shown as text, edited as source. It never runs. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { CellEditor } from "./cell_editor";
import { useNotebook } from "./context";
import type { Editor } from "./editor";
import type { Cell } from "./protocol";

export function Markdown({ cell, onReady }: { cell: Cell; onReady: (editor: Editor) => void }) {
  const notebook = useNotebook();
  const editing = useSignal(false);
  const blank = cell.code.trim() === "";
  const open = editing.value || blank;
  useEffect(() => {
    if (open) return undefined;
    return notebook.mounted(cell.id, {
      focus: () => {
        editing.value = true;
        return false; // the editor takes over
      },
      select: () => document.getElementById(`cell-${cell.id}`)?.focus(),
      setText: () => undefined,
    });
  }, [open]);
  if (open)
    return (
      <CellEditor
        key="editor" cellId={cell.id} type="markdown" autofocus={editing.value} onReady={onReady}
        onFocus={() => (editing.value = true)} onBlur={() => (editing.value = false)}
      />
    );
  return <Rendered code={notebook.draft(cell.id)?.text ?? cell.code} edit={() => (editing.value = true)} />;
}

function Rendered({ code, edit }: { code: string; edit: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let gone = false;
    void import("./outputs/markdown").then(({ drawMarkdown }) => {
      if (gone || !place.current) return;
      place.current.replaceChildren();
      drawMarkdown(place.current, code, { mime: "text/markdown", metadata: {}, plain: code, dark: false });
    });
    return () => {
      gone = true;
    };
  }, [code]);
  return (
    <div class="rendered" onDblClick={edit}>
      <div ref={place} />
      <button class="quiet edit" onClick={edit}>Edit</button>
    </div>
  );
}

