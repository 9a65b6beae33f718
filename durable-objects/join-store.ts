/**
 * Tokens with which workloads join. Of the token itself only the hash is kept.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { JoinToken } from "../shared/wire/authority-rpc.ts";

export const JOIN_MIGRATIONS: readonly string[] = [
  `CREATE TABLE join_tokens (
     id TEXT PRIMARY KEY, hash TEXT NOT NULL, scope TEXT NOT NULL, author TEXT NOT NULL,
     created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_by TEXT, used_at INTEGER);
   CREATE INDEX join_tokens_by_end ON join_tokens (expires_at)`,
];

/** How long a token is still listed after it has expired: a day, for whoever wonders why it does not work. */
const KEEP_EXPIRED_MS: Millis = 86_400_000;

type Row = Record<string, SqlStorageValue>;

interface JoinTokenRow extends Row {
  id: string;
  scope: string;
  author: string;
  createdAt: number;
  expiresAt: number;
  usedBy: string | null;
  usedAt: number | null;
}

const COLUMNS = `id, scope, author, created_at AS createdAt, expires_at AS expiresAt, used_by AS usedBy,
  used_at AS usedAt`;

export class JoinStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add({ id, scope, author, createdAt, expiresAt }: JoinToken, hash: string): void {
    this.#sql.exec(
      `INSERT INTO join_tokens (id, hash, scope, author, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)`,
      id,
      hash,
      scope,
      author,
      createdAt,
      expiresAt,
    );
  }

  /** The token of an id, if this is its hash; `null` when there is none. */
  find(id: string, hash: string): JoinToken | null {
    const [row] = this.#sql.exec<JoinTokenRow>(
      `SELECT ${COLUMNS} FROM join_tokens WHERE id = ? AND hash = ?`,
      id,
      hash,
    );
    return row ?? null;
  }

  /** Whether nobody has joined with a token that is valid. */
  isOpen(id: string, now: Millis): boolean {
    const rows = this.#sql.exec(
      "SELECT 1 FROM join_tokens WHERE id = ? AND used_at IS NULL AND expires_at > ?",
      id,
      now,
    );
    return [...rows].length > 0;
  }

  /** Notes who joined with it. */
  spend(id: string, workload: string, now: Millis): void {
    this.#sql.exec("UPDATE join_tokens SET used_by = ?, used_at = ? WHERE id = ?", workload, now, id);
  }

  /** Newest first. */
  list(): JoinToken[] {
    return this.#sql
      .exec<JoinTokenRow>(`SELECT ${COLUMNS} FROM join_tokens ORDER BY created_at DESC, id`)
      .toArray();
  }

  /** Takes out a token that has not been used; `null` when there is none. */
  delete(id: string): JoinToken | null {
    const [row] = this.#sql.exec<JoinTokenRow>(
      `DELETE FROM join_tokens WHERE id = ? AND used_at IS NULL RETURNING ${COLUMNS}`,
      id,
    );
    return row ?? null;
  }

  count(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM join_tokens").one().count;
  }

  /** Forgets tokens that have expired long enough ago. */
  prune(now: Millis): void {
    this.#sql.exec("DELETE FROM join_tokens WHERE expires_at <= ?", now - KEEP_EXPIRED_MS);
  }
}
