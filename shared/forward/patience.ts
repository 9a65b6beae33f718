/**
 * Waiting with a limit.
 *
 * @module
 */
import type { Millis } from "../engine/time.ts";
import type { Ports } from "./ports.ts";

/** Whether `work` settles within `ms`, successfully or not. Leaves no timer behind. */
export function settlesWithin(ports: Ports, work: Promise<unknown>, ms: Millis): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = ports.timer(ms, () => resolve(false));
    const settle = (): void => {
      cancel();
      resolve(true);
    };
    work.then(settle, settle);
  });
}

/** What `work` brings within `ms`. Rejects when it takes longer. */
export function within<T>(ports: Ports, work: Promise<T>, ms: Millis): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = ports.timer(ms, () => reject(new Error(`no answer within ${ms} ms`)));
    work.then(resolve, reject).finally(cancel);
  });
}
