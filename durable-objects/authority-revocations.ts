/**
 * What the authority has revoked, for as long as it matters.
 *
 * @module
 */
import type { Revocations } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { Proof } from "../shared/identity/revocation.ts";
import type { Revocation } from "../shared/wire/authority-rpc.ts";

export const REVOCATION_MIGRATIONS: readonly string[] = [
  `CREATE TABLE revoked (
     kind TEXT NOT NULL, value TEXT NOT NULL, before INTEGER, reason TEXT NOT NULL, author TEXT NOT NULL,
     at INTEGER NOT NULL, until INTEGER NOT NULL, is_known INTEGER NOT NULL, PRIMARY KEY (kind, value));
   CREATE INDEX revoked_by_end ON revoked (until)`,
];

/** Every host holds all of them: 4,000 are about 200 KB. Whoever needs more revokes identities, or rotates. */
export const MAX_REVOCATIONS = 4_000;

type Row = Record<string, SqlStorageValue>;

interface RevocationRow extends Row {
  kind: Revocation["kind"];
  value: string;
  before: number | null;
  reason: string;
  author: string;
  at: number;
  until: number;
  is_known: number;
}

export class RevocationStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Adds a revocation, or replaces the one of the same value. */
  put({ kind, value, before, reason, author, at, until, isKnown }: Revocation): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO revoked VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      kind,
      value,
      before,
      reason,
      author,
      at,
      until,
      isKnown ? 1 : 0,
    );
  }

  count(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM revoked").one().count;
  }

  /** Newest first. */
  list(): Revocation[] {
    const rows = this.#sql.exec<RevocationRow>("SELECT * FROM revoked ORDER BY at DESC, kind, value");
    return [...rows].map(({ is_known, ...row }) => ({ ...row, isKnown: is_known === 1 }));
  }

  /** As hosts get them. */
  published(): Revocations {
    const all = this.list();
    return {
      ids: all.filter(({ kind }) => kind !== "identity").map(({ value }) => value),
      identities: all.flatMap(({ value, before }) => (before === null ? [] : [{ subject: value, before }])),
    };
  }

  /** Whether a certificate is revoked, by its serial number or with all of its subject. */
  isRevoked({ id, subject, issuedAt }: Proof): boolean {
    const rows = this.#sql.exec("SELECT 1 FROM revoked WHERE kind = 'serial' AND value = ?", id);
    return [...rows].length > 0 || issuedAt < this.countsFrom(subject);
  }

  /** From when on what is issued to a subject counts; 0 where it was never revoked. */
  countsFrom(subject: string): Millis {
    const [row] = this.#sql.exec<{ before: number | null }>(
      "SELECT before FROM revoked WHERE kind = 'identity' AND value = ?",
      subject,
    );
    return row?.before ?? 0;
  }

  /** Forgets those that do not matter any more. Tells whether there were any. */
  prune(now: Millis): boolean {
    return [...this.#sql.exec("DELETE FROM revoked WHERE until <= ? RETURNING 1", now)].length > 0;
  }

  /** When the first ceases to matter; `null` when there is none. */
  nextPrune(): Millis | null {
    const [row] = this.#sql.exec<{ first: number | null }>("SELECT min(until) AS first FROM revoked");
    return row?.first ?? null;
  }
}
