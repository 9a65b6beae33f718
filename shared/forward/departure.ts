/**
 * Callers that go before they are answered. What still works for them is
 * ended, and what their calls held is given back.
 *
 * On Workers the platform ends an invocation whose caller has gone as soon as
 * nothing is deferred: no `finally` runs then, only what listens for it.
 *
 * @module
 */
import type { Call } from "./call.ts";
import type { Ports } from "./ports.ts";
import { refuse } from "./refusal.ts";
import type { Refusal } from "./refusal.ts";

/** Runs `act` if the caller of the invocation goes before the function that this returns is called. */
export function onDeparture(ports: Ports, act: () => void): () => void {
  const departure = ports.departure();
  if (departure === null) return () => undefined;
  departure.addEventListener("abort", act);
  return () => departure.removeEventListener("abort", act);
}

/** Whether nobody waits for the call's answer any more. */
export function isGone({ signal }: Pick<Call, "signal">): boolean {
  return signal !== null && signal.aborted;
}

/** What the log tells of such a call: nobody reads the answer. */
export function gone(): Refusal {
  return refuse("caller.gone", "Nobody waits for the answer.");
}
