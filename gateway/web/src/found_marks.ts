/** Marks what is looked for in the text of one editor. Part of the editor's chunk. */

import { type Extension, RangeSetBuilder, StateEffect, StateField, type Text } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView } from "@codemirror/view";
import { effect, type ReadonlySignal } from "@preact/signals";

import type { Found } from "./found";

interface Marks {
  find: Found["in"] | undefined;
  at: number | undefined; // where the match begins that a person is at, if it is in this text
  set: DecorationSet;
}

const look = StateEffect.define<Omit<Marks, "set">>();
const mark = Decoration.mark({ class: "cm-found" });
const markAt = Decoration.mark({ class: "cm-found cm-found-at" });

function drawn(text: Text, find: Found["in"] | undefined, at: number | undefined): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const { from, to } of find?.(text.toString()) ?? []) builder.add(from, to, from === at ? markAt : mark);
  return builder.finish();
}

const field = StateField.define<Marks>({
  create: () => ({ find: undefined, at: undefined, set: Decoration.none }),
  update(marks, { docChanged, effects, newDoc }) {
    const asked = effects.find((one) => one.is(look))?.value as Omit<Marks, "set"> | undefined;
    if (!asked && (!docChanged || !marks.find)) return marks;
    const { find, at } = asked ?? marks;
    return { find, at, set: drawn(newDoc, find, at) };
  },
  provide: (marks) => EditorView.decorations.from(marks, ({ set }) => set),
});

export const foundMarks: Extension = field;

/** Follows what is looked for until the returned function is called. */
export function followFound(view: EditorView, cellId: string, found: ReadonlySignal<Found | undefined>): () => void {
  return effect(() => {
    const now = found.value;
    const at = now?.at?.cellId === cellId ? now.at.from : undefined;
    const { find, at: before } = view.state.field(field);
    if (find !== now?.in || before !== at) view.dispatch({ effects: look.of({ find: now?.in, at }) });
  });
}
