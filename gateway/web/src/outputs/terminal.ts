/**
 * What a terminal would show of a text that moves the cursor: progress bars become one line that changes. Text is fed
 * as it arrives, so that a long stream costs its news and not its length. Knows control sequences, no elements.
 */

/** Colours stay in the text as they came; `style` is what they are at the end of `raw`. */
interface Line {
  raw: string;
  /** Characters in `raw` that take a column. */
  width: number;
  style: string;
  /** Once somebody wrote over the line: its characters, each with its colours. */
  cells: { char: string; style: string }[] | undefined;
}

const RESET = "\x1b[0m";
const MAX_STYLE = 64; // characters of colours in force; programs reset long before
const MAX_JUMP = 1_000; // lines or columns that one sequence may move
// Text, line ends, backspace, CSI sequences, OSC sequences (titles, links), and what is left of escapes.
const TOKEN = /[^\r\n\x08\x1b]+|\r\n|[\r\n\x08]|\x1b\[([0-9;:?]*)[ -/]*([@-~])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[^[\]]?/g;
const UNFINISHED = /\x1b(?:\[[0-9;:?]*[ -/]*|\][^\x07\x1b]*\x1b?)?$|\r$/;
const CONTROL = /[\r\x08]|\x1b(?!\[[0-9;:]*m)/;
const SURROGATE = /[\ud800-\udbff]/;

export class Terminal {
  private lines: Line[] = [empty()];
  private row = 0;
  private column = 0;
  private style = "";
  private rest = ""; // of a sequence that came in two parts
  private fed = "";
  /** Whether a line was written over: a progress bar, most likely. */
  overwrote = false;

  /** Lines so far; the one after a last line end does not count. */
  get height(): number {
    const count = this.lines.length;
    return this.lines[count - 1]!.width === 0 ? count - 1 : count;
  }

  /** The whole text so far; text that goes on is fed, any other starts anew. */
  show(text: string): void {
    if (!text.startsWith(this.fed)) Object.assign(this, new Terminal());
    this.feed(text.slice(this.fed.length));
    this.fed = text;
  }

  /** The last lines, colours included. */
  tail(lines: number): string {
    const end = this.height;
    return this.lines.slice(Math.max(0, end - lines), end).map(textOf).join("\n");
  }

  private feed(text: string): void {
    let news = this.rest + text;
    const open = UNFINISHED.exec(news);
    this.rest = open ? open[0] : "";
    if (open) news = news.slice(0, open.index);
    if (!CONTROL.test(news)) {
      this.feedPlain(news);
      return;
    }
    for (const token of news.matchAll(TOKEN)) {
      const [whole, parameters, final] = token;
      if (final !== undefined) this.control(parameters!, final, whole);
      else if (whole === "\n" || whole === "\r\n") this.down(1, true);
      else if (whole === "\r") this.column = 0;
      else if (whole === "\x08") this.column = Math.max(0, this.column - 1);
      else if (!whole.startsWith("\x1b")) this.write(whole);
    }
  }

  /** Nothing but text, colours and line ends: most of what is printed. */
  private feedPlain(text: string): void {
    text.split("\n").forEach((part, index) => {
      if (index > 0) this.down(1, true);
      if (part === "") return;
      if (!part.includes("\x1b")) return this.write(part);
      for (const [whole, parameters, final] of part.matchAll(TOKEN)) {
        if (final === "m") this.colour(parameters!, whole);
        else this.write(whole);
      }
    });
  }

  private control(parameters: string, final: string, whole: string): void {
    const count = Math.min(MAX_JUMP, Number.parseInt(parameters, 10) || 1);
    switch (final) {
      case "m":
        return this.colour(parameters, whole);
      case "A":
        this.row = Math.max(0, this.row - count);
        return;
      case "B":
        return this.down(count, false);
      case "E":
        return this.down(count, true);
      case "F":
        this.row = Math.max(0, this.row - count);
        this.column = 0;
        return;
      case "C":
        this.column += count;
        return;
      case "D":
        this.column = Math.max(0, this.column - count);
        return;
      case "G":
        this.column = count - 1;
        return;
      case "K":
        return this.eraseInLine(parameters);
      case "J":
        return this.eraseBelow(parameters);
      case "H":
        if (this.lines.length === 1) this.column = 0; // after a clear; elsewhere the top of a window that is not there
    }
  }

  private colour(parameters: string, whole: string): void {
    if (/^0*(;0*)*$/.test(parameters)) this.style = "";
    else if (/^0*;/.test(parameters)) this.style = whole;
    else this.style = (this.style + whole).slice(-MAX_STYLE).replace(/^[^\x1b]+/, "");
  }

  private down(count: number, toStart: boolean): void {
    this.row += count;
    while (this.lines.length <= this.row) this.lines.push(empty());
    if (toStart) this.column = 0;
  }

  private write(text: string): void {
    const line = this.lines[this.row]!;
    const wide = SURROGATE.test(text);
    const width = wide ? [...text].length : text.length;
    if (this.column === line.width && line.cells === undefined) {
      line.raw += colours(line.style, this.style) + text;
      line.style = this.style;
      line.width += width;
    } else {
      const cells = opened(line);
      while (cells.length < this.column) cells.push({ char: " ", style: "" });
      if (this.column < line.width) this.overwrote = true;
      const chars = wide ? [...text] : text.split("");
      chars.forEach((char, index) => (cells[this.column + index] = { char, style: this.style }));
      line.width = cells.length;
    }
    this.column += width;
  }

  private eraseInLine(parameters: string): void {
    const cells = opened(this.lines[this.row]!);
    if (parameters === "" || parameters === "0") cells.length = Math.min(cells.length, this.column);
    else if (parameters === "2") cells.length = 0;
    else for (let at = 0; at < Math.min(this.column + 1, cells.length); at++) cells[at] = { char: " ", style: "" };
    this.lines[this.row]!.width = cells.length;
  }

  private eraseBelow(parameters: string): void {
    if (parameters === "2" || parameters === "3") {
      this.lines = [empty()];
      this.row = this.column = 0;
    } else if (parameters === "" || parameters === "0") {
      this.eraseInLine("0");
      this.lines.length = this.row + 1;
    }
  }
}

/** A text that is whole already. */
export function screenOf(text: string): string {
  if (!CONTROL.test(text)) return text;
  const terminal = new Terminal();
  terminal.show(text.endsWith("\r") ? text.slice(0, -1) : text);
  return terminal.tail(Infinity) + (text.endsWith("\n") ? "\n" : "");
}

function empty(): Line {
  return { raw: "", width: 0, style: "", cells: undefined };
}

/** What to write to come from one set of colours to another. */
function colours(from: string, to: string): string {
  return from === to ? "" : from === "" ? to : RESET + to;
}

function opened(line: Line): { char: string; style: string }[] {
  if (line.cells !== undefined) return line.cells;
  let style = "";
  line.cells = [];
  for (const piece of line.raw.matchAll(/\x1b\[[0-9;:]*m|[^\x1b]/gu)) {
    const found = piece[0];
    if (!found.startsWith("\x1b")) line.cells.push({ char: found, style });
    else style = found === RESET ? "" : style + found;
  }
  return line.cells;
}

function textOf(line: Line): string {
  if (line.cells === undefined) return line.style === "" ? line.raw : line.raw + RESET;
  let text = "";
  let style = "";
  for (const cell of line.cells) {
    text += colours(style, cell.style) + cell.char;
    style = cell.style;
  }
  return style === "" ? text : text + RESET;
}
