/**
 * Waiting with a limit.
 *
 * @module
 */
import type { Millis } from "../engine/time.ts";
import type { Ports } from "./ports.ts";

/**
 * Between two looks at work of another request: a quarter of the time waited,
 * within bounds. Soon where the work is short, and cheap where a hundred
 * requests wait a second for something that does not come.
 */
const LOOK_AFTER_MS = { least: 2, ratio: 0.25, most: 50 };

/**
 * Whether `work` settles within `ms`, successfully or not.
 *
 * The work may be another request's, and on Workers what runs when it settles
 * then runs in that request's context: waking the caller from there made a few
 * of a hundred calls fail under load, their responses being of the wrong
 * request. So the caller only finds a note when its own timer wakes it.
 */
export async function settlesWithin(
  ports: Pick<Ports, "sleep">,
  work: Promise<unknown>,
  ms: Millis,
): Promise<boolean> {
  const note = { isSettled: false };
  const settle = (): void => {
    note.isSettled = true;
  };
  work.then(settle, settle);
  const { least, ratio, most } = LOOK_AFTER_MS;
  for (let waited = 0; waited < ms && !note.isSettled;) {
    const nextMs = Math.min(most, Math.max(least, Math.round(waited * ratio)), ms - waited);
    await ports.sleep(nextMs);
    waited += nextMs;
  }
  return note.isSettled;
}

/** What `work` brings within `ms`. Rejects when it takes longer. */
export function within<T>(ports: Pick<Ports, "timer">, work: Promise<T>, ms: Millis): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = ports.timer(ms, () => reject(new Error(`no answer within ${ms} ms`)));
    work.then(resolve, reject).finally(cancel);
  });
}
