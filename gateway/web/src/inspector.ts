/** What a name holds, beside it: while the mouse rests on it, or when the keys ask. Part of the editor's chunk; the card comes from outside. */

import { type EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
import { closeHoverTooltips, EditorView, hoverTooltip, keymap, showTooltip, type Tooltip } from "@codemirror/view";

/** The card to show, or nothing worth showing. `explicit`: a person asked by a key, also about what is no variable. */
export type CardFor = (state: EditorState, position: number, explicit: boolean) => Promise<Card | undefined>;

export interface Card {
  dom: HTMLElement;
  /** To be called when it is shown no more. */
  destroy: () => void;
}

const REST = 450; // ms the mouse rests on a name

const show = StateEffect.define<Tooltip | null>();

const shown = StateField.define<Tooltip | null>({
  create: () => null,
  update(tooltip, transaction) {
    for (const effect of transaction.effects) if (effect.is(show)) return effect.value;
    return transaction.docChanged || transaction.selection ? null : tooltip;
  },
  provide: (field) => showTooltip.from(field),
});

/** `hasName`: whether a name stands there that the mouse may rest on. */
export function inspector(cardFor: CardFor, hasName: (state: EditorState, position: number) => boolean): Extension {
  return [
    shown,
    hoverTooltip(
      async (view, position) => {
        if (!hasName(view.state, position)) return null;
        const card = await cardFor(view.state, position, false);
        const word = view.state.wordAt(position);
        return card ? { pos: word?.from ?? position, end: word?.to ?? position, above: true, create: (view) => leaving(card, view) } : null;
      },
      { hoverTime: REST, hideOnChange: true },
    ),
    EditorView.domEventHandlers({
      blur(event, view) {
        if (!(event.relatedTarget instanceof Element && event.relatedTarget.closest(".name-card"))) closeCard(view);
      },
    }),
    keymap.of([{ key: "Shift-Tab", run: (view) => inspectAtCursor(view, cardFor) }]),
  ];
}

/** Shows the card at the cursor, or moves the focus into the one that is shown. False in leading space and with a selection: there the key indents. */
function inspectAtCursor(view: EditorView, cardFor: CardFor): boolean {
  const { main } = view.state.selection;
  const line = view.state.doc.lineAt(main.head);
  if (!main.empty || view.state.sliceDoc(line.from, main.head).trim() === "") return false;
  const open = view.dom.querySelector<HTMLElement>(".name-card");
  if (open && view.state.field(shown)) return open.focus(), true;
  const { doc } = view.state;
  void cardFor(view.state, main.head, true).then((card) => {
    if (!card || view.state.doc !== doc || view.state.selection.main.head !== main.head) return;
    card.dom.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      view.focus();
      closeCard(view);
    });
    card.dom.addEventListener("focusout", ({ relatedTarget }) => {
      if (!(relatedTarget instanceof Node && view.dom.contains(relatedTarget))) closeCard(view);
    });
    view.dispatch({ effects: show.of({ pos: main.head, above: true, create: (view) => leaving(card, view) }) });
  });
  return true;
}

/** A link of the card leads to another cell: the card goes. */
function leaving(card: Card, view: EditorView): Card {
  card.dom.addEventListener("click", (event) => {
    if ((event.target as Element).closest("a")) view.dispatch({ effects: [closeHoverTooltips, show.of(null)] });
  });
  return card;
}

/** True if there was one. */
export function closeCard(view: EditorView): boolean {
  if (!view.state.field(shown, false)) return false;
  view.dispatch({ effects: show.of(null) });
  return true;
}
