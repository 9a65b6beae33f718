/**
 * The authority's audit: one line for everything that it issues, written
 * before it is signed, never changed, and deleted only when it is old.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { AuditLine } from "../shared/wire/authority-rpc.ts";

/** Lines that were written before there were others than tokens say so by their defaults. */
export const AUDIT_MIGRATIONS: readonly string[] = [
  `ALTER TABLE issued ADD COLUMN kind TEXT NOT NULL DEFAULT 'jwt-svid';
   ALTER TABLE issued ADD COLUMN requester TEXT NOT NULL DEFAULT '';
   CREATE INDEX issued_by_subject ON issued (subject, serial);
   CREATE INDEX issued_by_id ON issued (id)`,
];

/** How long it is known that something was issued, after it has expired: a month to find out that it should not have been. */
const KEEP_ISSUED_MS: Millis = 30 * 86_400_000;

/** Lines at most, about 500 MB of the 10 GB that an object has; the oldest go first. */
const MAX_ISSUED = 1_000_000;

type Row = Record<string, SqlStorageValue>;

interface AuditRow extends Row {
  number: number;
  kind: AuditLine["kind"];
  id: string;
  subject: string;
  audience: string;
  issuer: string;
  requester: string;
  at: number;
  expiresAt: number;
}

const COLUMNS = `serial AS number, kind, id, subject, audience, kid AS issuer, requester, issued_at AS at,
  expires_at AS expiresAt`;

export class AuditStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  record(line: Omit<AuditLine, "number">): void {
    const [row] = this.#sql.exec<{ serial: number }>(
      `INSERT INTO issued (kind, id, kid, subject, audience, requester, issued_at, expires_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING serial`,
      line.kind,
      line.id,
      line.issuer,
      line.subject,
      line.audience,
      line.requester,
      line.at,
      line.expiresAt,
    );
    this.#sql.exec("DELETE FROM issued WHERE serial <= ?", (row?.serial ?? 0) - MAX_ISSUED);
  }

  /** Lines before a number, of one subject or of all, newest first. */
  list({ limit, before, subject }: { limit: number; before: number; subject: string | null }): AuditLine[] {
    return this.#sql
      .exec<AuditRow>(
        `SELECT ${COLUMNS} FROM issued WHERE serial < ?1 AND (?2 IS NULL OR subject = ?2)
         ORDER BY serial DESC LIMIT ?3`,
        before,
        subject,
        limit,
      )
      .toArray();
  }

  /** When what has this `jti` or serial number expires; `null` when the audit does not know it. */
  expiryOf(kind: AuditLine["kind"], id: string): Millis | null {
    const [row] = this.#sql.exec<{ expires_at: number }>(
      "SELECT expires_at FROM issued WHERE id = ? AND kind = ?",
      id,
      kind,
    );
    return row?.expires_at ?? null;
  }

  count(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM issued").one().count;
  }

  /** Whether anything was issued to a subject that is still known. */
  knows(subject: string): boolean {
    return [...this.#sql.exec("SELECT 1 FROM issued WHERE subject = ? LIMIT 1", subject)].length > 0;
  }

  /** Deletes lines that are old enough. */
  prune(now: Millis): void {
    this.#sql.exec("DELETE FROM issued WHERE expires_at <= ?", now - KEEP_ISSUED_MS);
  }

  /** When the oldest line is to go; `null` when there is none. */
  nextPrune(): Millis | null {
    const [row] = this.#sql.exec<{ oldest: number | null }>("SELECT min(expires_at) AS oldest FROM issued");
    return row === undefined || row.oldest === null ? null : row.oldest + KEEP_ISSUED_MS;
  }
}
