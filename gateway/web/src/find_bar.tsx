/** The bar that finds and replaces in all cells. A chunk of its own. */

import { useComputed, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { useNotebook } from "./context";
import { Icon } from "./icons";
import type { Notebook } from "./notebook";
import { counted } from "./rename";
import { type Match, matchesIn, nextMatch, patternOf, type Query, replaced } from "./search";
import "./styles/find_bar.css";
import { hiddenCodes, toggleCode } from "./view_settings";

let last: Query = { text: "", matchCase: false, wholeWord: false, regex: false };

function textsOf(notebook: Notebook): [string, string][] {
  return notebook.store.order.peek().map((cellId) => [cellId, notebook.drafts.text(cellId)]);
}

/** So that a match that begins at the cursor comes next. */
function cursorOf(notebook: Notebook): Match | undefined {
  const cursor = notebook.focusing.cursor();
  return cursor && { ...cursor, from: cursor.from - 1 };
}

export function FindBar() {
  const notebook = useNotebook();
  const asked = notebook.finding.value!;
  const field = useRef<HTMLInputElement>(null);
  const query = useSignal<Query>(last);
  const replacement = useSignal("");
  const replacing = useSignal(asked.replace);
  const changes = useSignal(0); // of the texts, since the bar was opened
  const at = useSignal<Match | undefined>(undefined);
  const looked = useComputed(() => {
    void changes.value;
    try {
      const pattern = patternOf(query.value);
      const inText = pattern && ((text: string) => matchesIn([["", text]], pattern));
      return { pattern, inText, matches: matchesIn(textsOf(notebook), pattern), wrong: undefined };
    } catch (error) {
      return { pattern: undefined, inText: undefined, matches: [], wrong: error instanceof Error ? error.message : String(error) };
    }
  });
  const { pattern, inText, matches, wrong } = looked.value;
  const index = matches.findIndex((match) => match.cellId === at.value?.cellId && match.from === at.value.from);

  const change = (part: Partial<Query>) => {
    query.value = last = { ...query.peek(), ...part };
    at.value = undefined;
  };
  const go = (by: 1 | -1) => {
    const next = nextMatch(looked.peek().matches, notebook.store.order.peek(), at.peek() ?? cursorOf(notebook), by);
    at.value = looked.peek().matches[next];
    if (!at.value) return;
    if (hiddenCodes.peek().has(at.value.cellId)) toggleCode(at.value.cellId);
    notebook.focusing.reveal(at.value.cellId, at.value);
  };
  const close = () => {
    const here = at.peek();
    notebook.found.value = undefined;
    notebook.finding.value = undefined;
    if (here) notebook.focus(here.cellId, "edit", here);
    else if (notebook.selected !== undefined) notebook.focus(notebook.selected, asked.mode);
  };
  const replaceOne = () => {
    const here = looked.peek().matches.find((match) => match.cellId === at.peek()?.cellId && match.from === at.peek()?.from);
    if (!here || !pattern) return go(1);
    const before = notebook.drafts.text(here.cellId);
    const after = replaced(before, pattern, [here], replacement.peek(), query.peek().regex);
    notebook.rewrite(new Map([[here.cellId, after]]));
    changes.value += 1;
    // On from behind what was put in, so that nothing in it is found again.
    at.value = { ...here, from: here.from + (after.length - before.length) + (here.to - here.from) - 1, to: here.to };
    go(1);
  };
  const replaceAll = () => {
    if (!pattern || matches.length === 0) return;
    const texts = new Map<string, string>();
    for (const cellId of new Set(matches.map((match) => match.cellId))) {
      const here = matches.filter((match) => match.cellId === cellId);
      texts.set(cellId, replaced(notebook.drafts.text(cellId), pattern, here, replacement.peek(), query.peek().regex));
    }
    notebook.rewrite(texts);
    changes.value += 1;
    notebook.tellUndoable(`Replaced ${counted(matches.length, texts.size)}.`);
  };

  useEffect(() => {
    notebook.found.value = inText && { in: inText, at: at.value };
  }, [inText, at.value]);
  useEffect(() => {
    const changed = () => void (changes.value += 1);
    document.addEventListener("input", changed); // also what is typed in an editor
    const stop = notebook.store.onFold((events) => {
      if (events.length === 0 || events.some(({ type }) => type.startsWith("cell_") && type !== "cell_stdout" && type !== "cell_output")) changed();
    });
    return () => {
      document.removeEventListener("input", changed);
      stop();
      notebook.found.value = undefined;
    };
  }, []);
  useEffect(() => {
    if (asked.text !== "") change({ text: asked.text });
    replacing.value ||= asked.replace;
    if (asked.step === 0 || last.text === "") {
      field.current?.focus();
      field.current?.select();
    } else {
      go(asked.step);
      if (asked.mode === "edit" && at.value) notebook.focus(at.value.cellId, "edit", at.value);
    }
  }, [asked]);

  const keyed = (event: KeyboardEvent) => {
    const key = event.key.toLowerCase();
    if (event.key === "Escape") close();
    else if (event.key === "Enter" && (event.target as HTMLElement).matches("input.find")) go(event.shiftKey ? -1 : 1);
    else if (event.key === "Enter" && (event.target as HTMLElement).matches("input.replace")) (event.ctrlKey || event.metaKey ? replaceAll : replaceOne)();
    else if ((event.ctrlKey || event.metaKey) && key === "g") go(event.shiftKey ? -1 : 1);
    else if ((event.ctrlKey || event.metaKey) && key === "h") replacing.value = true;
    else if ((event.ctrlKey || event.metaKey) && key === "f") field.current?.select();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const says = wrong !== undefined ? "This is no regular expression." : query.value.text === "" ? "" : matches.length === 0 ? "No match" : `${index >= 0 ? `${index + 1} of ` : ""}${matches.length}`;
  return (
    <div class="find-bar" role="search" aria-label="Find in all cells" data-testid="find" onKeyDown={keyed}>
      <div class="line">
        <input ref={field} class="find" type="text" aria-label="Find" placeholder="Find in all cells" spellcheck={false} aria-invalid={wrong !== undefined} value={query.value.text} onInput={(event) => change({ text: event.currentTarget.value })} />
        <Toggle name="Match case" sign="Aa" on={query.value.matchCase} flip={(matchCase) => change({ matchCase })} />
        <Toggle name="Whole word" sign="W" on={query.value.wholeWord} flip={(wholeWord) => change({ wholeWord })} />
        <Toggle name="Regular expression" sign=".*" on={query.value.regex} flip={(regex) => change({ regex })} />
        <span class="count" role="status" title={wrong} data-testid="matches">{says}</span>
        <button class="bare" aria-label="Previous match" title="Previous (Shift-Enter)" disabled={matches.length === 0} onClick={() => go(-1)}><Icon name="up" /></button>
        <button class="bare" aria-label="Next match" title="Next (Enter)" disabled={matches.length === 0} onClick={() => go(1)}><Icon name="down" /></button>
        <button class="quiet" aria-expanded={replacing.value} onClick={() => (replacing.value = !replacing.value)}>Replace…</button>
        <button class="bare" aria-label="Close" title="Close (Esc)" onClick={close}><Icon name="cross" /></button>
      </div>
      {replacing.value && (
        <div class="line">
          <input class="replace" type="text" aria-label="Replace with" placeholder="Replace with" spellcheck={false} value={replacement.value} onInput={(event) => (replacement.value = event.currentTarget.value)} />
          <button disabled={matches.length === 0} onClick={replaceOne}>Replace</button>
          <button disabled={matches.length === 0} onClick={replaceAll}>Replace all</button>
        </div>
      )}
    </div>
  );
}

function Toggle({ name, sign, on, flip }: { name: string; sign: string; on: boolean; flip: (on: boolean) => void }) {
  return <button class="toggle" aria-pressed={on} aria-label={name} title={name} onClick={() => flip(!on)}>{sign}</button>;
}
