/** The words for a cell's state: one word, an icon, and a reason that a person understands. Pure. */

import type { IconName } from "./icons";
import type { Cell, CellType, Reason } from "./protocol";

export interface Shown {
  word: string;
  icon: IconName;
}

export const TYPE_WORDS: Readonly<Record<CellType, string>> = { python: "Python", sql: "SQL", markdown: "Markdown" };

/** `edited`: the editor holds text that was not sent yet. */
export function shownState(cell: Cell, edited: boolean): Shown {
  if (edited && cell.status !== "queued" && cell.status !== "running") return { word: "Edited", icon: "pencil" };
  switch (cell.status) {
    case "idle":
      return { word: "Not run", icon: "circle" };
    case "queued":
      return { word: "Queued", icon: "clock" };
    case "running":
      return { word: "Running", icon: "spin" };
    case "success":
      return { word: "Done", icon: "check" };
    case "error":
      return { word: "Failed", icon: "cross" };
    case "stale":
      if (cell.reason?.code === "edited") return { word: "Edited", icon: "pencil" };
      return cell.reason?.code === "not_run_here" ? { word: "Not run", icon: "circle" } : { word: "Stale", icon: "stale" };
    case "blocked":
      return { word: "Blocked", icon: "blocked" };
    case "disabled":
      return { word: "Disabled", icon: "disabled" };
    case "interrupted":
      return { word: "Interrupted", icon: "stop" };
  }
}

/** The kernel has, or is about to have, values that this cell wrote: a restart would lose them. */
export function holdsValues({ status, reason, writes }: Cell): boolean {
  if (writes.length === 0 || status === "idle" || status === "disabled" || status === "blocked") return false;
  return status !== "stale" || (reason?.code !== "kernel_restarted" && reason?.code !== "not_run_here");
}

/** Text with the cells it speaks of, so that a view can make links of them. */
export interface Sentence {
  text: string;
  cells: readonly string[];
}

/** Why the cell is as it is, when that is not plain from the word. */
export function reasonOf(cell: Cell): Sentence | undefined {
  const { reason, status } = cell;
  if (cell.diagnostics.some((one) => one.kind === reason?.code && reason.code === "cycle")) return undefined; // said below the code, with advice
  if (!reason || status === "queued" || status === "running" || status === "success") return undefined;
  const words = phrase(reason);
  return words === undefined ? undefined : { text: words, cells: (reason.fromCells ?? []).filter((id) => id !== cell.id) };
}

function phrase(reason: Reason): string | undefined {
  const names = reason.names?.join(", ");
  switch (reason.code) {
    case "edited":
    case "requested":
    case "interrupted":
      return undefined;
    case "inputs_changed":
    case "upstream_ran":
      return names ? `${names} changed in` : "its inputs changed in";
    case "moved":
      return "moved";
    case "outside_effect":
      return "has effects outside: runs only when you ask";
    case "manual":
      return "manual: runs only when you ask";
    case "lazy":
      return "waits: automatic runs are off";
    case "disabled_upstream":
      return "needs a disabled cell:";
    case "kernel_restarted":
      return "the kernel restarted";
    case "not_run_here":
      return "its outputs came with the file";
    case "dropped":
      return "its run was dropped";
    case "cycle":
      return names ? `a cycle over ${names} with` : "a cycle with";
    case "upstream_failed":
      return "waiting on";
    case "removed_upstream":
      return names ? `${names} was removed` : "an input was removed";
    case "run_cap":
      return "ran too often in one go";
    default:
      return reason.message;
  }
}

/** 850 µs, 12 ms, 1.2 s, 3 min 20 s. */
export function duration(seconds: number): string {
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** 3.4 MB and the like. */
export function byteCount(bytes: number): string {
  const units = ["bytes", "kB", "MB", "GB"];
  let at = 0;
  let value = bytes;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at]}`;
}
