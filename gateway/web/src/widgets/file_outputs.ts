/** Outputs as a notebook file spells them, read into ours. Pure. */

import type { Output } from "../protocol";

interface FileOutput {
  output_type?: unknown;
  name?: unknown;
  text?: unknown;
  data?: unknown;
  metadata?: unknown;
  ename?: unknown;
  evalue?: unknown;
  traceback?: unknown;
}

/** Outputs of nbformat 4 as ours; what is none is left out. */
export function outputsOf(state: unknown): Output[] {
  const found: Output[] = [];
  for (const item of Array.isArray(state) ? (state as FileOutput[]) : []) {
    const index = found.length;
    switch (item.output_type) {
      case "stream":
        found.push({ kind: "stream", index, stream: item.name === "stderr" ? "stderr" : "stdout", text: joined(item.text) });
        break;
      case "display_data":
      case "execute_result":
        found.push({ kind: "display", index, data: record(item.data), metadata: record(item.metadata) });
        break;
      case "error":
        found.push({ kind: "error", index, ename: String(item.ename), evalue: String(item.evalue), traceback: Array.isArray(item.traceback) ? item.traceback.map(String) : [] });
    }
  }
  return found;
}

function joined(text: unknown): string {
  return Array.isArray(text) ? text.join("") : String(text ?? "");
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
