/**
 * Calls that hosts have recorded, the newest of each workload.
 *
 * @module
 */
import type { UnitKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import { namespaceOfUnit, type CallSample } from "../shared/wire/recorded-call.ts";
import type { CallsOfUnit, StoredCall } from "../shared/wire/telemetry-rpc.ts";

/** Policies are tried on a day's calls. */
const KEEP_CALLS_MS: Millis = 24 * 3_600_000;

/** Distinct calls of a unit that were admitted, and as many that were denied: denied ones cost a client nothing. */
export const MAX_OF_UNIT = 500;

/** Nobody's calls drive out another's. */
const MAX_OF_NAMESPACE = 5_000;

export const MAX_CALLS = 20_000;

/** Calls of one answer, usually about 6 MB. */
const MAX_ANSWERED = 10_000;

/** Text of one answer: a call between objects has 32 MiB. */
const MAX_ANSWERED_CHARACTERS = 10_000_000;

/**
 * Text of one call, of about 300 characters usually. What policies read of many
 * claims may be more, and a Worker that makes reports up can make it megabytes.
 */
const MAX_CALL_CHARACTERS = 8_192;

/** A call that is known is written again after a minute at the earliest: every write is paid for. */
const TOUCH_AFTER_MS: Millis = 60_000;

/** Writes of a namespace's calls in a minute; further ones are left out. */
export const MAX_WRITES = 1_000;

interface CallRow extends Record<string, SqlStorageValue> {
  call: string;
  calls: number;
  seen_at: number;
}

export class CallStore {
  readonly #sql: SqlStorage;
  /** Of the current minute. Lost with the object, which forgives a few writes. */
  readonly #writes = { minute: 0, byNamespace: new Map<string, number>() };

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Adds what a host recorded to what is known of the same call. */
  add({ call, isAdmitted, calls }: CallSample, now: Millis): void {
    const namespace = namespaceOfUnit(call.unit);
    if (namespace === null) return;
    const text = JSON.stringify(call);
    if (text.length > MAX_CALL_CHARACTERS) return;
    const [known] = this.#sql.exec<{ seen_at: number }>(
      "SELECT seen_at FROM calls WHERE unit = ? AND call = ?",
      call.unit,
      text,
    );
    if (known !== undefined && now < known.seen_at + TOUCH_AFTER_MS) return;
    if (!this.#mayWrite(namespace, now)) return;
    this.#sql.exec(
      `INSERT INTO calls (namespace, unit, call, is_admitted, calls, seen_at) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (unit, call) DO UPDATE SET
           is_admitted = excluded.is_admitted, calls = calls + excluded.calls, seen_at = excluded.seen_at`,
      namespace,
      call.unit,
      text,
      isAdmitted ? 1 : 0,
      calls,
      now,
    );
  }

  /** The units of which calls are kept, by their keys; of some namespaces, or of all (`null`). */
  units(namespaces: readonly string[] | null, now: Millis): CallsOfUnit[] {
    const rows = this.#sql.exec<{ namespace: string; unit: string; calls: number }>(
      "SELECT namespace, unit, count(*) AS calls FROM calls WHERE seen_at > ? GROUP BY namespace, unit ORDER BY unit",
      now - KEEP_CALLS_MS,
    );
    return [...rows]
      .filter(({ namespace }) => namespaces === null || namespaces.includes(namespace))
      .map(({ unit, calls }) => ({ unit, calls }));
  }

  /** The calls of some units, newest first. */
  calls(units: readonly UnitKey[], now: Millis): StoredCall[] {
    const rows = this.#sql.exec<CallRow>(
      `SELECT call, calls, seen_at FROM calls
         WHERE unit IN (SELECT value FROM json_each(?)) AND seen_at > ? ORDER BY seen_at DESC, id DESC LIMIT ?`,
      JSON.stringify(units),
      now - KEEP_CALLS_MS,
      MAX_ANSWERED,
    );
    const answered: StoredCall[] = [];
    let characters = 0;
    for (const { call, calls, seen_at } of rows) {
      characters += call.length;
      if (characters > MAX_ANSWERED_CHARACTERS) break;
      answered.push({ call: JSON.parse(call), calls, seenAt: seen_at });
    }
    return answered;
  }

  /** Drops what is old, then the oldest of what is too much. */
  prune(now: Millis): void {
    this.#sql.exec("DELETE FROM calls WHERE seen_at <= ?", now - KEEP_CALLS_MS);
    this.#keepNewest("PARTITION BY unit, is_admitted", MAX_OF_UNIT);
    this.#keepNewest("PARTITION BY namespace", MAX_OF_NAMESPACE);
    this.#keepNewest("", MAX_CALLS);
  }

  isEmpty(): boolean {
    return this.#sql.exec("SELECT 1 FROM calls LIMIT 1").toArray().length === 0;
  }

  #keepNewest(partition: string, count: number): void {
    this.#sql.exec(
      `DELETE FROM calls WHERE id IN (SELECT id FROM
         (SELECT id, row_number() OVER (${partition} ORDER BY seen_at DESC, id DESC) AS place FROM calls)
         WHERE place > ?)`,
      count,
    );
  }

  #mayWrite(namespace: string, now: Millis): boolean {
    const minute = Math.floor(now / 60_000);
    const { byNamespace } = this.#writes;
    if (this.#writes.minute !== minute) byNamespace.clear();
    this.#writes.minute = minute;
    const written = byNamespace.get(namespace) ?? 0;
    byNamespace.set(namespace, written + 1);
    return written < MAX_WRITES;
  }
}
