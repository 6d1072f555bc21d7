/**
 * Widgets' messages that came before anybody here could read them: kept for the manager, which is a chunk of its own
 * and loads with the first widget. What is too much is dropped; the kernel is asked for the states anyway.
 */

import type { CommSent } from "../protocol";
import type { Store } from "../store";

const KEPT = 2_000; // messages

export class Mailbox {
  private waiting: CommSent[] = [];
  private reader: ((message: CommSent) => void) | undefined;

  constructor(store: Store) {
    store.onFold((events) => {
      for (const event of events) if (event.type === "comm") this.take(event);
    });
  }

  private take(message: CommSent): void {
    if (this.reader) return this.reader(message);
    this.waiting.push(message);
    if (this.waiting.length > KEPT) this.waiting.splice(0, KEPT / 2);
  }

  /** From now on, in order; what waits comes first. */
  read(reader: (message: CommSent) => void): void {
    this.reader = reader;
    for (const message of this.waiting.splice(0)) reader(message);
  }
}
