/** Every action of a notebook page with its name and keys: the palette, the help sheet and command mode read this one list. */

import * as cells from "./cell_actions";
import type { Notebook, PanelName } from "./notebook";
import { lineNumbersShown, toggleAbove, toggleCode, toggleOutput } from "./view_settings";

export interface Action {
  id: string;
  name: string;
  /** As written in the help; several ways are parted by " or ". Those without a modifier work in command mode. */
  keys?: string;
  /** `cellId` is the selected cell. */
  run: (notebook: Notebook, cellId: string | undefined) => unknown;
  /** Without a selected cell it says so and does nothing. */
  needsCell?: boolean;
  /** Only the help sheet lists it. */
  inEditor?: boolean;
}

function global(id: string, name: string, run: Action["run"], keys?: string): Action {
  return { id, name, run, ...(keys !== undefined && { keys }) };
}

function onCell(id: string, name: string, run: (notebook: Notebook, cellId: string) => void, keys?: string): Action {
  return { ...global(id, name, (notebook, cellId) => cellId !== undefined && run(notebook, cellId), keys), needsCell: true };
}

/** The editor listens for these keys itself. */
function editing(id: string, name: string, keys: string): Action {
  return { ...global(id, name, () => undefined, keys), inEditor: true };
}

const panel = (name: PanelName, title: string) =>
  global(`panel-${name}`, title, (notebook) => (notebook.panel.value = notebook.panel.peek() === name ? undefined : name));

const TERMINAL_TROUBLE = ["error", "blocked", "interrupted"];

export const ACTIONS: readonly Action[] = [
  onCell("edit", "Edit the cell", (notebook, id) => notebook.focus(id), "Enter"),
  onCell("run", "Run the cell", (notebook, id) => notebook.runCell(id), "Ctrl-Enter"),
  onCell("run-next", "Run the cell and go to the next", (notebook, id) => notebook.runAndAdvance(id), "Shift-Enter"),
  onCell("run-insert", "Run the cell and insert below", (notebook, id) => notebook.runAndInsert(id), "Alt-Enter"),
  global("run-all", "Run all", (notebook) => notebook.runAll()),
  global("run-stale", "Run all that is stale", (notebook) => notebook.runStale()),
  global("interrupt", "Interrupt the run", (notebook) => notebook.interrupt(), "I I"),
  global("restart", "Restart the kernel", (notebook) => notebook.restartKernel(), "0 0"),
  global("next", "Select the next cell", (notebook, id) => cells.step(notebook, id, 1), "J or ArrowDown"),
  global("previous", "Select the previous cell", (notebook, id) => cells.step(notebook, id, -1), "K or ArrowUp"),
  global("insert-above", "Insert a cell above", (notebook, id) => cells.insertCell(notebook, id, "above"), "A"),
  global("insert-below", "Insert a cell below", (notebook, id) => cells.insertCell(notebook, id, "below"), "B"),
  onCell("delete", "Delete the cell", (notebook, id) => notebook.deleteCell(id, "command"), "D D"),
  global("undo", "Undo", (notebook) => notebook.undo(), "Z"),
  global("redo", "Redo", (notebook) => notebook.redo(), "Shift-Z"),
  onCell("cut", "Cut the cell", cells.cutCell, "X"),
  onCell("copy", "Copy the cell", cells.copyCell, "C"),
  global("paste", "Paste below", (notebook, id) => cells.pasteCell(notebook, id, "below"), "V"),
  global("paste-above", "Paste above", (notebook, id) => cells.pasteCell(notebook, id, "above"), "Shift-V"),
  onCell("merge", "Merge with the cell below", cells.mergeWithBelow, "Shift-M or Ctrl-Shift-M"),
  onCell("merge-above", "Merge with the cell above", cells.mergeWithAbove, "Ctrl-Backspace"),
  onCell("split", "Split the cell at the cursor", (notebook, id) => notebook.focusing.split(id), "Ctrl-Shift-Minus"),
  onCell("define", "Go to the cell that writes the name at the cursor", cells.goToDefinitionAtCursor, "F12 or Ctrl-Click"),
  global("find", "Find in all cells", (notebook) => cells.find(notebook, {}), "Ctrl-F"),
  global("find-next", "Find the next match", (notebook) => cells.find(notebook, { step: 1 }), "Ctrl-G"),
  global("find-previous", "Find the match before", (notebook) => cells.find(notebook, { step: -1 }), "Ctrl-Shift-G"),
  global("replace", "Find and replace in all cells", (notebook) => cells.find(notebook, { replace: true }), "Ctrl-H"),
  global("rename", "Rename a variable in all cells", (notebook, id) => notebook.startRenaming(notebook.focusing.nameAtCursor(id)), "F2"),
  onCell("up", "Move the cell up", (notebook, id) => notebook.moveCell(id, -1), "Ctrl-Shift-ArrowUp"),
  onCell("down", "Move the cell down", (notebook, id) => notebook.moveCell(id, 1), "Ctrl-Shift-ArrowDown"),
  onCell("python", "Make it a Python cell", (notebook, id) => notebook.setCell(id, { cellType: "python" }), "Y"),
  onCell("markdown", "Make it a Markdown cell", (notebook, id) => notebook.setCell(id, { cellType: "markdown" }), "M"),
  ...[1, 2, 3, 4, 5, 6].map((level) =>
    onCell(`heading-${level}`, `Make it a heading of level ${level}`, (notebook, id) => cells.makeHeading(notebook, id, level), String(level)),
  ),
  onCell("sql", "Make it an SQL cell", (notebook, id) => notebook.setCell(id, { cellType: "sql" }), "S"),
  onCell("output", "Show or hide the output", (_, id) => toggleOutput(id), "O"),
  onCell("code", "Show or hide the code", (_, id) => toggleCode(id), "Shift-O"),
  global("above", "Show outputs above or below the code", (notebook) => toggleAbove(notebook.id)),
  global("lines", "Show or hide line numbers", () => (lineNumbersShown.value = !lineNumbersShown.peek()), "L or Shift-L"),
  global("next-error", "Go to the next error", (notebook, id) => cells.nextWith(notebook, id, TERMINAL_TROUBLE), "E"),
  global("next-running", "Go to the running cell", (notebook, id) => cells.nextWith(notebook, id, ["running"]), "R"),
  global("save", "Save to the file", (notebook) => notebook.save(), "Ctrl-S"),
  panel("outline", "Panel: outline"),
  panel("variables", "Panel: variables"),
  panel("graph", "Panel: dependency graph"),
  panel("schema", "Panel: tables of the database"),
  panel("messages", "Panel: messages"),
  global("person", "Say who you are to others", (notebook) => (notebook.overlay.value = "person")),
  global("palette", "All commands", (notebook) => (notebook.overlay.value = "palette"), "Ctrl-Shift-C or Ctrl-Shift-P"),
  editing("leave", "Leave the text for its cell", "Escape or Ctrl-M"),
  editing("complete", "Complete the name", "Tab or Ctrl-Space"),
  editing("inspect", "Show what a name holds", "Shift-Tab"),
  editing("comment", "Comment the lines, or no longer", "Ctrl-/"),
  editing("block-comment", "Comment the selection, or no longer", "Alt-A"),
  editing("indent", "Indent the lines", "Ctrl-]"),
  editing("dedent", "Take the indent of the lines back", "Ctrl-["),
  editing("delete-line", "Delete the line", "Ctrl-D or Ctrl-Shift-K"),
  editing("line-up", "Move the line up", "Alt-ArrowUp"),
  editing("line-down", "Move the line down", "Alt-ArrowDown"),
  editing("undo-typing", "Undo what was typed", "Ctrl-Z"),
  editing("redo-typing", "Redo what was typed", "Ctrl-Shift-Z or Ctrl-Y"),
  global("help", "Keys", (notebook) => (notebook.overlay.value = "help"), "?"),
];

/** Act on the cell that was selected last. */
export function perform(action: Action, notebook: Notebook): void {
  const known = notebook.store.order.peek();
  const cellId = notebook.selected !== undefined && known.includes(notebook.selected) ? notebook.selected : undefined;
  if (action.needsCell && cellId === undefined) notebook.announcement.value = "Select a cell first.";
  else action.run(notebook, cellId);
}
