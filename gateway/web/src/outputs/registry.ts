/** Which renderer shows which MIME type: the first entry that a bundle has wins. Knows types and weights, draws nothing. */

import type { Notebook } from "../notebook";

/** Draws one value into an empty element of its own; returns what frees it, if anything must be freed. */
export type Draw = (into: HTMLElement, value: unknown, context: DrawContext) => (() => void) | undefined;

export interface DrawContext {
  mime: string;
  metadata: Readonly<Record<string, unknown>>;
  /** text/plain of the same bundle: what a picture says to those who do not see it. */
  plain: string;
  dark: boolean;
  /** Where widgets live; without one they are not drawn. */
  notebook?: Notebook;
}

export interface Renderer {
  name: string;
  matches: (mime: string) => boolean;
  /** Loaded when first needed; heavy ones are chunks of their own. */
  load: () => Draw | Promise<Draw>;
}

const renderers: Renderer[] = [];

/** Richer types are registered first. */
export function register(renderer: Renderer): void {
  renderers.push(renderer);
}

export interface Choice {
  renderer: Renderer;
  mime: string;
}

/** The renderer for a bundle, by the order of registration; undefined when nothing in it can be shown. */
export function choose(data: Readonly<Record<string, unknown>>): Choice | undefined {
  for (const renderer of renderers) {
    const mime = Object.keys(data).find(renderer.matches);
    if (mime !== undefined) return { renderer, mime };
  }
  return undefined;
}

/** A value that is too large for a frame: fetched when somebody wants to see it. */
export interface Remote {
  $url: string;
  bytes: number;
}

export function isRemote(value: unknown): value is Remote {
  return typeof value === "object" && value !== null && typeof (value as Partial<Remote>).$url === "string";
}

/** MIME values are strings or, from some libraries, lists of lines. */
export function asText(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.join("");
  return JSON.stringify(value, null, 2);
}
