/**
 * The spent tokens of one shard: a digest each, until the token is refused
 * for its age anyway.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";

export const REPLAY_MIGRATIONS: readonly string[] = [
  "CREATE TABLE spent (digest BLOB PRIMARY KEY, until REAL NOT NULL) WITHOUT ROWID",
];

export class ReplayStore {
  readonly #sql: SqlStorage;
  /** Rows in the table: a cache, since counting reads all of them. */
  #size: number | null = null;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  has(digest: ArrayBuffer): boolean {
    return this.#sql.exec("SELECT 1 FROM spent WHERE digest = ?", digest).toArray().length > 0;
  }

  /** Keeps a digest that is not there yet. */
  add(digest: ArrayBuffer, until: Millis): void {
    this.#sql.exec("INSERT INTO spent VALUES (?, ?)", digest, until);
    if (this.#size !== null) this.#size += 1;
  }

  size(): number {
    this.#size ??= this.#sql.exec<{ size: number }>("SELECT count(*) AS size FROM spent").one().size;
    return this.#size;
  }

  /** Drops the tokens that have run out. */
  prune(now: Millis): void {
    this.#sql.exec("DELETE FROM spent WHERE until <= ?", now);
    this.#size = null;
  }
}
