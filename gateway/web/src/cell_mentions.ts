/** Finds the cells that a sentence of kernel or gateway speaks of by their ids. Pure. */

export type Piece = string | { cellId: string };

const MENTION = /\bcells? ([\w-]+(?:, [\w-]+)*)/g;
const WORD = /[\w-]+/g;

/** The sentence in pieces: text, and known ids. The word "cell" before an id is left to who draws the link. */
export function piecesOf(text: string, known: (id: string) => boolean): Piece[] {
  const pieces: Piece[] = [];
  let done = 0;
  const upTo = (end: number) => {
    if (end > done) pieces.push(text.slice(done, end));
  };
  for (const mention of text.matchAll(MENTION)) {
    const list = mention[1]!;
    const listAt = mention.index + mention[0].length - list.length;
    let first = true;
    for (const word of list.matchAll(WORD)) {
      if (!known(word[0])) continue;
      const at = listAt + word.index;
      upTo(first ? mention.index : at);
      pieces.push({ cellId: word[0] });
      done = at + word[0].length;
      first = false;
    }
  }
  upTo(text.length);
  return pieces;
}

/** Whether the sentence names this cell. */
export function mentions(text: string, cellId: string): boolean {
  return piecesOf(text, (id) => id === cellId).some((piece) => typeof piece !== "string");
}
