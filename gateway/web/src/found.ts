/** What is being looked for in a notebook: the find bar decides it, editors mark it. Types only. */

import type { Mode, Stretch } from "./focus";
import type { Match } from "./search";

export interface Found {
  /** The matches in a text, in order. */
  in(text: string): readonly Stretch[];
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
