/**
 * What an object does on its own, by the one alarm that it has.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";

/** When the alarm comes back if its handler dies on the way. */
const SAFETY_ALARM_MS = 10_000;

/** Something to be sent, kept in storage until it has arrived. */
export interface Outbox {
  /** When the next is due; `null` for none. */
  nextDue(): Millis | null;
  /** Sends what is due. Repeating it does no harm. */
  deliver(): Promise<void>;
}

export class Errands {
  readonly #storage: DurableObjectStorage;
  readonly #outboxes: readonly Outbox[];

  constructor(storage: DurableObjectStorage, outboxes: readonly Outbox[]) {
    this.#storage = storage;
    this.#outboxes = outboxes;
  }

  /** Sets the alarm for what is due next. In the transaction of a change, the platform stores both or neither. */
  arm(): void {
    const next = this.#nextDue();
    if (next !== null) void this.#storage.setAlarm(Math.max(next, Date.now()));
  }

  /** Makes up for a lost alarm. */
  async rearm(): Promise<void> {
    if ((await this.#storage.getAlarm()) === null) this.arm();
  }

  /** The alarm's handler: sends what is due, and sets the alarm for the rest. */
  async run(): Promise<void> {
    try {
      await this.#storage.setAlarm(Date.now() + SAFETY_ALARM_MS);
      await Promise.all(this.#outboxes.map((outbox) => outbox.deliver()));
      if (this.#nextDue() === null) await this.#storage.deleteAlarm();
      else this.arm();
    } catch (error) {
      // Thrown errors are retried six times and then the alarm is gone; the safety alarm stays.
      console.error("an object's errands could not be run", error);
    }
  }

  #nextDue(): Millis | null {
    const due = this.#outboxes.flatMap((outbox) => outbox.nextDue() ?? []);
    return due.length === 0 ? null : Math.min(...due);
  }
}
