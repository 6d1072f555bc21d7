/** The code editor of one cell: CodeMirror with our keys. A chunk of its own; knows no notebook. */

import { acceptCompletion, autocompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionStatus, type CompletionContext, type CompletionResult, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, deleteLine, history, historyKeymap, indentWithTab, toggleBlockComment } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { keywordCompletionSource, PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { Annotation, Compartment, EditorState, type Extension, Prec } from "@codemirror/state";
import { drawSelection, EditorView, keymap, lineNumbers, runScopeHandlers } from "@codemirror/view";
import { effect, type ReadonlySignal } from "@preact/signals";
import { classHighlighter } from "@lezer/highlight";

import type { Stretch } from "./focus";
import type { Found } from "./found";
import { followFound, foundMarks } from "./found_marks";
import { type Card, closeCard, inspector } from "./inspector";
import { nameAt } from "./name_at";
import type { CellType } from "./protocol";
import type { Options } from "./sql_completion";
import { contextAt, type SqlContext } from "./sql_context";
import { codePoints, utf16 } from "./text_units";
import { lineNumbersShown } from "./view_settings";

export interface EditorHooks {
  /** What is looked for, to be marked. */
  found: ReadonlySignal<Found | undefined>;
  changed(text: string): void;
  focused(): void;
  blurred(): void;
  run(): void;
  runAndAdvance(): void;
  runAndInsert(): void;
  /** The text before the cursor stays, the text after it becomes the next cell. */
  split(before: string, after: string): void;
  escaped(): void;
  /** Names that fit here, from the running kernel; positions in code points. */
  complete(code: string, cursor: number): Promise<Record<string, unknown> | undefined>;
  /** Names of tables, columns and frames that may stand there. */
  completeSql(at: SqlContext): Promise<Options | undefined>;
  /** A card on the name, or on what stands there; the cursor counts code points. */
  card(code: string, cursor: number, name: string | undefined, explicit: boolean): Promise<Card | undefined>;
  /** The arrow keys left the text at the top (-1) or the bottom (1). True if there is somewhere to go. */
  leave(by: -1 | 1): boolean;
  /** Go to the cell that writes this name. */
  define(name: string): void;
  /** Ask for a new name for the variable; undefined when none is at the cursor. */
  rename(name: string | undefined): void;
}

export interface Editor {
  view: EditorView;
  setText(text: string): void;
  setType(type: CellType): void;
  /** Takes the keys; the stretch is selected and brought into view. */
  focus(stretch?: Stretch): void;
  reveal(stretch: Stretch): void;
  nameAtCursor(): string | undefined;
  split(): void;
  /** A key that was held back for this editor does what it would do if it were pressed now. */
  press(event: KeyboardEvent): void;
}

/** Marks a change that came from outside, so that it is not taken for typing. */
const outside = Annotation.define<boolean>();

const NAMES: Readonly<Record<CellType, string>> = { python: "Python code", sql: "SQL code", markdown: "Markdown text" };

export function createEditor(parent: HTMLElement, cellId: string, text: string, type: CellType, hooks: EditorHooks): Editor {
  const language = new Compartment();
  const numbers = new Compartment();
  let kind = type;
  const view = new EditorView({
    parent,
    state: EditorState.create({ doc: text, extensions: [foundMarks, cards(hooks, () => kind), keys(hooks), shared(hooks), definitions(hooks, () => kind), numbers.of([]), language.of(languageOf(type, hooks))] }),
  });
  const nameAtCursor = () => nameAt(view.state, view.state.selection.main.head, kind);
  const setType = (next: CellType) => {
    kind = next;
    view.dispatch({ effects: language.reconfigure(languageOf(next, hooks)) });
    if (next === "markdown") void colourMarkdown(view, language);
  };
  if (type === "markdown") void colourMarkdown(view, language);
  const stop = effect(() => {
    const shown = lineNumbersShown.value ? lineNumbers() : [];
    view.dispatch({ effects: numbers.reconfigure(shown) });
  });
  const unfollow = followFound(view, cellId, hooks.found);
  const destroy = view.destroy.bind(view);
  view.destroy = () => (stop(), unfollow(), destroy());
  return { view, setType, setText: (next) => replaceText(view, next), focus: (stretch) => focusOn(view, stretch), reveal: (stretch) => reveal(view, stretch), nameAtCursor, split: () => splitAtCursor(view, hooks), press: (event) => press(view, event) };
}

function press(view: EditorView, event: KeyboardEvent): void {
  // A key before it, Escape, may have given the focus away: then it is for whoever has it.
  if (!view.hasFocus) return void document.activeElement?.dispatchEvent(new KeyboardEvent(event.type, event));
  if (runScopeHandlers(view, event, "editor") || event.key.length !== 1) return;
  const { from, to } = view.state.selection.main;
  const insert = () => view.state.update(view.state.replaceSelection(event.key), { userEvent: "input.type", scrollIntoView: true });
  if (!view.state.facet(EditorView.inputHandler).some((handler) => handler(view, from, to, event.key, insert))) view.dispatch(insert());
}

function keys(hooks: EditorHooks): Extension {
  // What runs is what is there: an open list of completions would take the next Escape for itself.
  const closing = (what: () => void) => (view: EditorView) => (closeCompletion(view), what(), true);
  const run = closing(() => hooks.run());
  return [
    Prec.highest(
      keymap.of([
        { key: "Shift-Enter", run: closing(() => hooks.runAndAdvance()) },
        { key: "Alt-Enter", run: closing(() => hooks.runAndInsert()) },
        { key: "Mod-Enter", run },
        { key: "Ctrl-Enter", run },
        { key: "Ctrl-Shift--", run: (view) => (splitAtCursor(view, hooks), true) },
        { key: "Ctrl-Shift-_", run: (view) => (splitAtCursor(view, hooks), true) },
        { key: "Ctrl-m", run: () => (hooks.escaped(), true) }, // CodeMirror's own use of it is for Tab, which Esc frees here
        { key: "Tab", run: (view) => acceptCompletion(view) || completeAtCursor(view) },
        { key: "Escape", run: (view) => closeCard(view) || (completionStatus(view.state) !== "active" && (closeCompletion(view), hooks.escaped(), true)) },
      ]),
    ),
    keymap.of([
      { key: "ArrowUp", run: (view) => atEdge(view, -1) && hooks.leave(-1) },
      { key: "ArrowDown", run: (view) => atEdge(view, 1) && hooks.leave(1) },
      { key: "Mod-d", run: deleteLine, preventDefault: true },
      { key: "Alt-a", run: toggleBlockComment },
      ...closeBracketsKeymap,
      ...defaultKeymap,
      ...historyKeymap,
      indentWithTab,
    ]),
  ];
}

/** Behind a name or a dot the key completes; in leading space, behind anything else and with a selection it indents. */
function completeAtCursor(view: EditorView): boolean {
  const { main } = view.state.selection;
  return main.empty && /[\p{L}\p{N}_.]/u.test(view.state.sliceDoc(main.head - 1, main.head)) && startCompletion(view);
}

/** F2; F12, and a click with Ctrl (Cmd on a Mac, where Ctrl-click opens the menu). */
function definitions(hooks: EditorHooks, type: () => CellType): Extension {
  const go = (view: EditorView, position: number | null) => {
    const name = position === null ? undefined : nameAt(view.state, position, type());
    if (name !== undefined) hooks.define(name);
    return name !== undefined;
  };
  return [
    keymap.of([
      { key: "F12", preventDefault: true, run: (view) => go(view, view.state.selection.main.head) },
      { key: "F2", preventDefault: true, run: (view) => (hooks.rename(nameAt(view.state, view.state.selection.main.head, type())), true) },
    ]),
    EditorView.domEventHandlers({
      mousedown(event, view) {
        const held = /Mac/.test(navigator.platform) ? event.metaKey : event.ctrlKey;
        return held && event.button === 0 && go(view, view.posAtCoords({ x: event.clientX, y: event.clientY }));
      },
    }),
  ];
}

function cards(hooks: EditorHooks, type: () => CellType): Extension {
  return inspector(
    (state, position, explicit) => {
      const code = state.doc.toString();
      return hooks.card(code, codePoints(code.slice(0, position)), nameAt(state, position, type()), explicit);
    },
    (state, position) => nameAt(state, position, type()) !== undefined,
  );
}

function splitAtCursor(view: EditorView, hooks: EditorHooks): void {
  const text = view.state.doc.toString();
  const at = view.state.selection.main.head;
  hooks.split(text.slice(0, at).replace(/\n$/, ""), text.slice(at).replace(/^\n/, ""));
}

function shared(hooks: EditorHooks): Extension {
  return [
    history(),
    drawSelection(),
    indentOnInput(),
    indentUnit.of("    "),
    bracketMatching(),
    closeBrackets(),
    syntaxHighlighting(classHighlighter),
    EditorView.lineWrapping,
    EditorView.updateListener.of((update) => {
      if (update.docChanged && !update.transactions.every((one) => one.annotation(outside) ?? !one.docChanged))
        hooks.changed(update.state.doc.toString());
      if (update.focusChanged) (update.view.hasFocus ? hooks.focused : hooks.blurred)();
    }),
  ];
}

function languageOf(type: CellType, hooks: EditorHooks): Extension {
  const named = EditorView.contentAttributes.of({ "aria-label": NAMES[type] });
  switch (type) {
    case "python":
      return [named, python(), autocompletion({ override: [(context) => fromKernel(context, hooks)], activateOnTypingDelay: 150, icons: false })];
    case "sql":
      return [named, sql({ dialect: PostgreSQL }), autocompletion({ override: [keywords, (context) => fromDatabase(context, hooks)], activateOnTypingDelay: 150, icons: false })];
    case "markdown":
      return named;
  }
}

const anyKeyword = keywordCompletionSource(PostgreSQL, true);

/** None after a dot, and none in the place of a parameter. */
function keywords(context: CompletionContext): CompletionResult | Promise<CompletionResult | null> | null {
  const { kind, path } = contextAt(context.state.doc.toString(), context.pos);
  return kind === "name" && path.length === 0 ? anyKeyword(context) : null;
}

async function fromDatabase(context: CompletionContext, hooks: EditorHooks): Promise<CompletionResult | null> {
  const at = contextAt(context.state.doc.toString(), context.pos);
  const few = !context.explicit && at.path.length === 0 && at.kind === "name" && context.pos === at.from;
  const found = few ? undefined : await hooks.completeSql(at);
  return !found || context.aborted ? null : { ...found, validFor: /^[\w$]*$/ };
}

const MOST = 200; // completions shown

async function fromKernel(context: CompletionContext, hooks: EditorHooks): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[\w.]+$/);
  if (!context.explicit && (!word || (word.text.length < 2 && !word.text.endsWith(".")))) return null;
  const code = context.state.doc.toString();
  const reply = await hooks.complete(code, codePoints(code.slice(0, context.pos)));
  const matches = (reply?.["matches"] ?? []) as string[];
  if (context.aborted || matches.length === 0) return null;
  const from = utf16(code, Number(reply?.["start"] ?? 0));
  // Jedi gives `b.head` for `a.he`: only what follows the last dot replaces what was typed.
  const typed = code.slice(from, context.pos);
  const dot = typed.lastIndexOf(".") + 1;
  const options = matches.slice(0, MOST).map((label) => ({ label: label.startsWith(typed.slice(0, dot)) ? label.slice(dot) : label }));
  return { from: from + dot, options, validFor: /^\w*$/ };
}

/** Markdown's grammar brings those of HTML, CSS and JavaScript: a chunk of its own, fetched when such a cell is edited. */
async function colourMarkdown(view: EditorView, language: Compartment): Promise<void> {
  const plain = language.get(view.state);
  const { markdown } = await import("@codemirror/lang-markdown");
  if (language.get(view.state) === plain) view.dispatch({ effects: language.reconfigure([plain ?? [], markdown()]) });
}

function focusOn(view: EditorView, stretch: Stretch | undefined): void {
  view.focus();
  if (stretch) reveal(view, stretch);
}

function reveal(view: EditorView, stretch: Stretch): void {
  const end = view.state.doc.length; // the text may be another one by now
  const selection = { anchor: Math.min(stretch.from, end), head: Math.min(stretch.to, end) };
  view.dispatch({ selection, effects: EditorView.scrollIntoView(selection.head, { y: "center" }) });
}

/** Replace only what differs, so that the cursor and the scroll position stay where they can. */
function replaceText(view: EditorView, next: string): void {
  const now = view.state.doc.toString();
  if (now === next) return;
  let from = 0;
  while (from < now.length && from < next.length && now[from] === next[from]) from++;
  let end = 0;
  while (end < now.length - from && end < next.length - from && now.at(-1 - end) === next.at(-1 - end)) end++;
  view.dispatch({
    changes: { from, to: now.length - end, insert: next.slice(from, next.length - end) },
    annotations: outside.of(true),
  });
}

function atEdge(view: EditorView, by: -1 | 1): boolean {
  const { main } = view.state.selection;
  const line = view.state.doc.lineAt(main.head);
  return main.empty && (by === -1 ? line.number === 1 : line.number === view.state.doc.lines);
}
