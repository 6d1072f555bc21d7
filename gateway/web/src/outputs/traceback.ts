/** A traceback as IPython writes it: which line of the cell it came from, and frames of libraries folded away. */

import { fillText } from "./text";

const COLOURS = /\x1b\[[0-9;]*m/g;
const FRAME = /^(?:File |~|\/)/;

/** The line of this cell in which it went wrong: that of its innermost frame. */
export function ownLine(traceback: readonly string[], cellId: string): number | undefined {
  const text = traceback.join("\n").replace(COLOURS, "");
  const frames = [...text.matchAll(/\bCell ([\w-]+), line (\d+)/g)].filter(([, cell]) => cell === cellId);
  const last = frames.at(-1)?.[2];
  return last === undefined ? undefined : Number(last);
}

/** Neighbouring frames of libraries become one group; everything else stands alone. */
export function grouped(traceback: readonly string[]): { text: string; library: boolean; count: number }[] {
  const parts = traceback.flatMap((part) => part.split(/\n\n(?=\S)/)).filter((part) => part.trim() !== "");
  const groups: { text: string; library: boolean; count: number }[] = [];
  for (const text of parts) {
    const library = FRAME.test(text.replace(COLOURS, ""));
    const last = groups.at(-1);
    if (library && last?.library) Object.assign(last, { text: `${last.text}\n\n${text}`, count: last.count + 1 });
    else groups.push({ text, library, count: 1 });
  }
  return groups;
}

export function fillTraceback(into: HTMLElement, traceback: readonly string[]): void {
  into.replaceChildren(
    ...grouped(traceback).map(({ text, library, count }) => {
      const block = document.createElement("div");
      fillText(block, text);
      if (!library) return block;
      const fold = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = count === 1 ? "1 frame of a library" : `${count} frames of libraries`;
      fold.append(summary, block);
      return fold;
    }),
  );
}
