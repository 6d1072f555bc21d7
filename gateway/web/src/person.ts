/** Who sits here, as others in the same notebook see it; kept by this browser. */

import { effect, signal } from "@preact/signals";

const NAME = "tailrace.person";
export const LONGEST = 64; // characters, as the gateway takes them

/** Empty: others see "someone". */
export const personName = signal(localStorage.getItem(NAME) ?? "");

effect(() => localStorage.setItem(NAME, personName.value));
