/** Who this browser and this tab are: page key of the login, and a client id per notebook that no other tab shares. Knows storage and login. */

import { saveBlob } from "./outputs/saving";

const KEY = "tailrace.key";

/** A refusal of the gateway over HTTP: the code is the contract, the message is for a person. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

// Storage of the origin, port included, which a cookie does not keep apart; as long-lived as the cookie, for all tabs.
export function pageKey(): string | undefined {
  return localStorage.getItem(KEY) ?? undefined;
}

/** Exchange the code of the address (`#code=…`), if there is one, and take it out of the address and the history. */
export async function loginFromAddress(): Promise<void> {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  await login(code);
}

/** Throws HttpError when the code is wrong, used or too old. */
export async function login(code: string): Promise<void> {
  const { key } = await rest<{ key: string }>("POST", "/api/v1/login", { code });
  localStorage.setItem(KEY, key);
}

/** One REST call, with the page key. Throws HttpError with the gateway's code and sentence. */
export async function rest<T>(method: "GET" | "POST" | "DELETE", path: string, body?: unknown): Promise<T> {
  const answer = await request(method, path, body);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Bytes behind a `$url` of an output. Throws HttpError. */
export async function blob(path: string): Promise<Blob> {
  return (await request("GET", path)).blob();
}

/** Save what an address gives as a file. Throws HttpError. */
export async function download(path: string, name: string): Promise<void> {
  saveBlob(await blob(path), name);
}

/** Where a file of this name is imported. */
export function importPath(name: string): string {
  return `/api/v1/notebooks/import?name=${encodeURIComponent(name)}`;
}

/** Send a file as it is. Throws HttpError. */
export async function upload<T>(path: string, content: Blob): Promise<T> {
  return (await (await request("POST", path, content)).json()) as T;
}

async function request(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = {};
  const key = pageKey();
  if (key !== undefined) headers["X-Tailrace-Key"] = key;
  const raw = body instanceof Blob;
  if (body !== undefined && !raw) headers["Content-Type"] = "application/json";
  const keepalive = method === "DELETE"; // a deletion outlives the page that asked for it
  const answer = await fetch(path, { method, headers, keepalive, ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }) });
  if (answer.ok) return answer;
  const said = (await answer.json().catch(() => ({}))) as { code?: string; message?: string };
  throw new HttpError(answer.status, said.code ?? "internal", said.message ?? `The gateway answered ${answer.status}.`);
}

/** A random word of 72 bits, base64url. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/**
 * The id under which this tab speaks to one notebook, kept for the life of the tab. A duplicated tab starts with a copy
 * of the other's storage: a lock tells who had the id first, the copy takes a new one.
 */
export async function clientFor(notebookId: string): Promise<string> {
  const slot = `tailrace.client.${notebookId}`;
  const kept = sessionStorage.getItem(slot);
  if (kept !== null && (await claim(kept))) return kept;
  const fresh = randomId();
  sessionStorage.setItem(slot, fresh);
  await claim(fresh);
  return fresh;
}

function claim(client: string): Promise<boolean> {
  if (!("locks" in navigator)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const held = navigator.locks.request(`tailrace.${client}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise(() => undefined) : undefined; // held until the tab goes
    });
    held.catch(() => resolve(true));
  });
}
