/**
 * Hosts that wait for news: questions whose answer is held until a unit that
 * they name has changed. In memory only: when the object goes, the questions
 * break off, and hosts ask again.
 *
 * @module
 */
import type { UnitKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";

/** The longest that an answer is held: what the platform leaves of a request after its response. */
const MAX_WAIT_MS: Millis = 30_000;

/** Keys that are waited for at once, about 50 MB of an object's 128. Beyond it a question is answered without waiting. */
const MAX_WATCHED_KEYS = 500_000;

interface Waiter {
  readonly keys: ReadonlySet<UnitKey>;
  readonly wake: () => void;
}

export class RegistryWatch {
  readonly #waiters = new Set<Waiter>();
  #watchedKeys = 0;

  /** Resolves when one of the units changes, or `ms` are over. */
  async next(held: readonly UnitKey[], ms: Millis): Promise<void> {
    if (this.#watchedKeys + held.length > MAX_WATCHED_KEYS) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, Math.min(Math.max(ms, 0), MAX_WAIT_MS));
    const waiter: Waiter = { keys: new Set(held), wake: resolve };
    this.#waiters.add(waiter);
    this.#watchedKeys += held.length;
    await promise;
    clearTimeout(timer);
    this.#waiters.delete(waiter);
    this.#watchedKeys -= held.length;
  }

  /** Wakes those who wait for any of these units. */
  tell(changed: Iterable<UnitKey>): void {
    const keys = [...changed];
    for (const waiter of this.#waiters) if (keys.some((key) => waiter.keys.has(key))) waiter.wake();
  }
}
