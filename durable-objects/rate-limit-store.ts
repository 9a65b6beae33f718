/**
 * The buckets of one shard of rate limits: a timestamp each where every call
 * is asked for, free slots where calls are leased.
 *
 * @module
 */
import type { Pool } from "../shared/engine/limit-lease.ts";
import type { Millis } from "../shared/engine/time.ts";

export const RATE_LIMIT_MIGRATIONS: readonly string[] = [
  "CREATE TABLE buckets (key TEXT PRIMARY KEY, tat REAL NOT NULL) WITHOUT ROWID",
  "CREATE TABLE pools (key TEXT PRIMARY KEY, full_at REAL NOT NULL, pool TEXT NOT NULL) WITHOUT ROWID",
];

export class RateLimitStore {
  readonly #sql: SqlStorage;
  /** Rows in the table: a cache, since counting reads all of them. */
  #size: number | null = null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** When the bucket will be full again; `undefined` for one that is full. */
  load(key: string): Millis | undefined {
    return this.#sql.exec<{ tat: number }>("SELECT tat FROM buckets WHERE key = ?", key).toArray()[0]?.tat;
  }

  save(key: string, tat: Millis, isNew: boolean): void {
    this.#sql.exec("INSERT OR REPLACE INTO buckets VALUES (?, ?)", key, tat);
    if (isNew && this.#size !== null) this.#size += 1;
  }

  /** The slots of a leased limit's bucket; `undefined` for one that is full. */
  loadPool(key: string): Pool | undefined {
    const [row] = this.#sql.exec<{ pool: string }>("SELECT pool FROM pools WHERE key = ?", key).toArray();
    return row === undefined ? undefined : JSON.parse(row.pool);
  }

  savePool(key: string, pool: Pool, fullAt: Millis, isNew: boolean): void {
    this.#sql.exec("INSERT OR REPLACE INTO pools VALUES (?, ?, ?)", key, fullAt, JSON.stringify(pool));
    if (isNew && this.#size !== null) this.#size += 1;
  }

  size(): number {
    this.#size ??= this.#sql
      .exec<{ size: number }>("SELECT (SELECT count(*) FROM buckets) + (SELECT count(*) FROM pools) AS size")
      .one().size;
    return this.#size;
  }

  /** Drops the buckets that are full again: one that is not stored is as full. */
  prune(now: Millis): void {
    this.#sql.exec("DELETE FROM buckets WHERE tat <= ?", now);
    this.#sql.exec("DELETE FROM pools WHERE full_at <= ?", now);
    this.#size = null;
  }
}
