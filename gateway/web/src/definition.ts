/** Which cell a name comes from, by what cells are known to write. Pure; knows no editor. */

/** The nearest writer above the cell; else the nearest below; else the cell itself. Undefined if nobody writes the name. */
export function writerOf(
  name: string,
  cellId: string,
  order: readonly string[],
  writes: (cellId: string) => readonly string[],
): string | undefined {
  const at = order.indexOf(cellId);
  const writer = (id: string) => writes(id).includes(name);
  return order.slice(0, at).findLast(writer) ?? order.slice(at + 1).find(writer) ?? (writer(cellId) ? cellId : undefined);
}
