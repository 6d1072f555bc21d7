/** A traceback as IPython writes it: which frames are of cells, of the user's files, of libraries. Pure. */

const COLOURS = /\x1b\[[0-9;]*m/g;
const FRAME = /^(?:File |~|\/)/;
const CELL = /^Cell ([\w-]+), line (\d+)/;
/** Installed packages, Python's own files, and compiled modules, which have no path of this machine. */
const LIBRARY = /(?:site|dist)-packages\/|\/lib(?:64)?\/python3|<frozen |^File (?![~/]|[A-Z]:)/;
const RULE = /^-+$/;

export interface Group {
  text: string;
  /** Neighbouring frames of libraries are one group; everything else stands alone. */
  library: boolean;
  count: number;
  /** Of a frame in a cell; its first line is then not in `text`. */
  cell?: { id: string; line: number; rest: string };
}

/** The line of this cell in which it went wrong: that of its innermost frame. */
export function ownLine(traceback: readonly string[], cellId: string): number | undefined {
  const text = traceback.join("\n").replace(COLOURS, "");
  const frames = [...text.matchAll(/\bCell ([\w-]+), line (\d+)/g)].filter(([, cell]) => cell === cellId);
  const last = frames.at(-1)?.[2];
  return last === undefined ? undefined : Number(last);
}

export function grouped(traceback: readonly string[]): Group[] {
  const parts = traceback.flatMap((part) => part.split(/\n\n(?=\S)/)).map((part) => part.replace(/^\n+|\n+$/g, ""));
  const groups: Group[] = [];
  for (const text of parts) {
    const plain = text.replace(COLOURS, "");
    if (plain.trim() === "" || RULE.test(plain)) continue;
    const library = FRAME.test(plain) && LIBRARY.test(plain.split("\n", 1)[0]!);
    const last = groups.at(-1);
    if (library && last?.library) Object.assign(last, { text: `${last.text}\n\n${text}`, count: last.count + 1 });
    else groups.push(library ? { text, library, count: 1 } : ofCell(text, plain));
  }
  return groups;
}

function ofCell(text: string, plain: string): Group {
  const found = CELL.exec(plain);
  if (!found) return { text, library: false, count: 1 };
  const rest = plain.slice(found[0].length).split("\n", 1)[0]!;
  const body = text.includes("\n") ? text.slice(text.indexOf("\n") + 1) : "";
  return { text: body, library: false, count: 1, cell: { id: found[1]!, line: Number(found[2]), rest } };
}

export function countedFrames(count: number): string {
  return count === 1 ? "1 library frame" : `${count.toLocaleString()} library frames`;
}
