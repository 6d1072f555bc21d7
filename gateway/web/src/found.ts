/** What is being looked for in the notebook now: editors mark it, and the find bar decides it. */

import { signal } from "@preact/signals";

import type { Mode } from "./focus";
import type { Match } from "./search";

export interface Found {
  pattern: RegExp;
  /** The match that a person is at. */
  at: Match | undefined;
}

/** What the find bar was last asked for. */
export interface Finding {
  text: string;
  replace: boolean;
  /** Go on to a match at once. */
  step: -1 | 0 | 1;
  /** Where the keys went then. */
  mode: Mode;
}

export const found = signal<Found | undefined>(undefined);
