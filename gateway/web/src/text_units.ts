/** Positions in a text: the wires count code points, the editor counts UTF-16 units. Pure. */

export function codePoints(text: string): number {
  return Array.from(text).length;
}

/** The index in UTF-16 units of a position in code points. */
export function utf16(text: string, position: number): number {
  return Array.from(text).slice(0, position).join("").length;
}
