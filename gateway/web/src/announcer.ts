/** What a screen reader hears of a batch of events: failures and ends of runs, never every tick. Pure. */

import type { NotebookState } from "./fold";
import type { Event } from "./protocol";

/** One sentence, or nothing worth saying. */
export function announce(events: readonly Event[], after: NotebookState): string | undefined {
  const said: string[] = [];
  for (const event of events) {
    if (event.type === "cell_error") {
      said.push(`Cell ${numberOf(event.cellId, after)} failed: ${event.error.ename}.`);
    } else if (event.type === "run_finished" && event.status !== "lost") {
      const { success, error } = event.counts;
      said.push(error > 0 ? `Run finished, ${error} failed.` : `Run finished, ${success} done.`);
    } else if (event.type === "kernel_status" && (event.state === "dead" || event.state === "restarting")) {
      said.push(event.state === "dead" ? "The kernel died." : "The kernel restarts.");
    } else if (event.type === "cell_deleted" && event.cause !== undefined) {
      said.push("Cell deleted.");
    }
  }
  return said.length > 0 ? said.slice(-3).join(" ") : undefined;
}

function numberOf(cellId: string, state: NotebookState): number {
  return state.order.indexOf(cellId) + 1;
}
