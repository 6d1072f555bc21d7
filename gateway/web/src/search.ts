/** Finding and replacing in the texts of all cells. Pure; knows no editor. Positions are UTF-16 units. */

export interface Query {
  text: string;
  matchCase: boolean;
  wholeWord: boolean;
  regex: boolean;
}

export interface Match {
  cellId: string;
  from: number;
  to: number;
}

const MOST = 10_000; // matches found, over all cells

/** The pattern of a query; undefined for an empty one. Throws SyntaxError for a regular expression that is none. */
export function patternOf({ text, matchCase, wholeWord, regex }: Query): RegExp | undefined {
  if (text === "") return undefined;
  const source = regex ? text : text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  const bounded = wholeWord ? `(?<![\\p{L}\\p{N}_])(?:${source})(?![\\p{L}\\p{N}_])` : source;
  return new RegExp(bounded, `gmu${matchCase ? "" : "i"}`);
}

/** In order of the cells and of their texts; empty matches do not count. */
export function matchesIn(texts: Iterable<readonly [cellId: string, text: string]>, pattern: RegExp | undefined): Match[] {
  const found: Match[] = [];
  if (!pattern) return found;
  for (const [cellId, text] of texts) {
    for (const match of text.matchAll(pattern)) {
      if (match[0] !== "") found.push({ cellId, from: match.index, to: match.index + match[0].length });
      if (found.length >= MOST) return found;
    }
  }
  return found;
}

/** The text with these matches of it replaced; `$1` and `$<name>` stand for groups when the query is a regular expression. */
export function replaced(text: string, pattern: RegExp, matches: readonly Match[], replacement: string, regex: boolean): string {
  const wanted = new Set(matches.map(({ from }) => from));
  return text.replaceAll(pattern, (...found: unknown[]) => {
    const groups = typeof found.at(-1) === "object" ? (found.pop() as Record<string, string>) : {};
    const at = found.at(-2) as number;
    const whole = found[0] as string;
    if (whole === "" || !wanted.has(at)) return whole;
    return regex ? expanded(replacement, found.slice(0, -2) as (string | undefined)[], groups) : replacement;
  });
}

function expanded(replacement: string, parts: readonly (string | undefined)[], groups: Readonly<Record<string, string | undefined>>): string {
  return replacement.replace(/\$(?:(\$)|(&)|(\d{1,2})|<([^>]*)>)/g, (same, dollar, whole, number, name) => {
    if (dollar) return "$";
    if (whole) return parts[0] ?? "";
    if (name !== undefined) return groups[name as string] ?? "";
    return Number(number) < parts.length && Number(number) > 0 ? (parts[Number(number)] ?? "") : (same as string);
  });
}

/** The next match after this place, going round at the end; -1 when there is none. `by` -1: the one before. */
export function nextMatch(matches: readonly Match[], order: readonly string[], from: Match | undefined, by: 1 | -1): number {
  if (matches.length === 0) return -1;
  if (!from) return by === 1 ? 0 : matches.length - 1;
  const rank = (match: Match) => order.indexOf(match.cellId) * 2 ** 32 + match.from;
  const here = rank(from);
  const found = by === 1 ? matches.findIndex((match) => rank(match) > here) : matches.findLastIndex((match) => rank(match) < here);
  return found >= 0 ? found : by === 1 ? 0 : matches.length - 1;
}
