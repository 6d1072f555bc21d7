/** The variable at a position of a cell's text, by its syntax tree. Part of the editor's chunk. */

import { ensureSyntaxTree, syntaxTree } from "@codemirror/language";
import type { EditorState } from "@codemirror/state";

import type { CellType } from "./protocol";

const PATIENCE = 500; // ms to parse up to the position, if that was not done yet
const NO_NAME = /Comment|String|Number/; // nodes of the SQL grammar that hold words

/** Undefined on keywords, attributes, in strings and in comments. A position at either end of the name counts. */
export function nameAt(state: EditorState, position: number, type: CellType): string | undefined {
  const tree = ensureSyntaxTree(state, Math.min(position + 1, state.doc.length), PATIENCE) ?? syntaxTree(state);
  const sides = [tree.resolveInner(position, -1), tree.resolveInner(position, 1)];
  if (type === "python") {
    const node = sides.find(({ name }) => name === "VariableName");
    return node && state.sliceDoc(node.from, node.to);
  }
  if (type === "markdown" || sides.some(({ name }) => NO_NAME.test(name))) return undefined;
  const word = state.wordAt(position);
  if (!word) return undefined;
  // A parameter may be called like a keyword: `:limit`, `{limit}`.
  const parameter = /(^|[^:]):$|\{$/.test(state.sliceDoc(Math.max(0, word.from - 2), word.from));
  const keyword = sides.some(({ name }) => name === "Keyword");
  return keyword && !parameter ? undefined : state.sliceDoc(word.from, word.to);
}
