/** What was asked of the gateway and changes nothing: each answered once, or given up when the connection goes. */

import { signal } from "@preact/signals";

import type { NewCommand, Outbox } from "./outbox";
import type { Ack, Error as Refusal } from "./protocol";

/** The ack, or the refusal with its sentence; undefined when the connection went before either came. */
export type Answer = Ack | Refusal | undefined;

export class Questions {
  /** How many are open. */
  readonly waiting = signal(0);
  private readonly open = new Map<string, (answer: Answer) => void>();

  constructor(private readonly outbox: Outbox) {}

  ask(question: NewCommand): Promise<Answer> {
    return new Promise((resolve) => {
      this.open.set(this.outbox.add(question, true), resolve);
      this.waiting.value = this.open.size;
    });
  }

  answered(id: string, answer: Ack | Refusal): void {
    this.open.get(id)?.(answer);
    this.open.delete(id);
    this.waiting.value = this.open.size;
  }

  giveUp(): void {
    for (const [id, answer] of this.open) {
      this.outbox.forget(id);
      answer(undefined);
    }
    this.open.clear();
    this.waiting.value = 0;
  }
}
