/** The document's hash as the gateway computes it (SPEC.md B0), so that a page notices its own divergence. */

import type { NotebookState } from "./fold";

const encoder = new TextEncoder();

/** First 16 hex digits; undefined where the browser has no digests (an address that is not secure). */
export async function documentHash(state: NotebookState): Promise<string | undefined> {
  const parts: Uint8Array[] = [];
  for (const id of state.order) {
    const cell = state.cells.get(id)!;
    const fields = [cell.id, cell.type, cell.code, cell.name ?? "", cell.mode, cell.execution, cell.connection ?? ""];
    for (const field of fields) {
      const bytes = encoder.encode(field);
      parts.push(encoder.encode(`${bytes.length}:`), bytes);
    }
  }
  return (await sha256(joined(parts)))?.slice(0, 16);
}

/** `codeHash` of the wire: lower-case hex SHA-256 of the UTF-8 code. */
export function codeHash(code: string): Promise<string | undefined> {
  return sha256(encoder.encode(code));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined> {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
