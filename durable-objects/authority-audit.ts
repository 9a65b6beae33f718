/**
 * The authority's audit: one line for everything that it issues, written
 * before it is signed, chained to the line before, and deleted only when it
 * and all before it are old.
 *
 * @module
 */
import { contentOf, type ChainLine } from "../shared/engine/hash-chain.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import type { AuditLine } from "../shared/wire/authority-rpc.ts";
import { AuditChain, CHAIN_TABLE, MAX_CHAINED_AT_ONCE, type ChainedRows } from "./audit-chain.ts";
import type { Migration } from "./schema.ts";

/** Lines that were written before there were others than tokens say so by their defaults. */
export const AUDIT_MIGRATIONS: readonly string[] = [
  `ALTER TABLE issued ADD COLUMN kind TEXT NOT NULL DEFAULT 'jwt-svid';
   ALTER TABLE issued ADD COLUMN requester TEXT NOT NULL DEFAULT '';
   CREATE INDEX issued_by_subject ON issued (subject, serial);
   CREATE INDEX issued_by_id ON issued (id)`,
];

/** After all others: lines of a release before get their hashes. */
export const CHAIN_MIGRATIONS: readonly Migration[] = [
  `ALTER TABLE issued ADD COLUMN hash TEXT NOT NULL DEFAULT ''; ${CHAIN_TABLE}`,
  (sql) => {
    const { newest } = sql.exec<{ newest: number | null }>("SELECT max(serial) AS newest FROM issued").one();
    // The rows as they are by then.
    new AuditChain(sql, issuedRows(sql, FIRST_COLUMNS)).begin((newest ?? 0) - MAX_CHAINED_AT_ONCE);
  },
];

/** Comes after those, which have been run where the mesh was tried. */
export const BINDING_MIGRATIONS: readonly Migration[] = [
  "ALTER TABLE issued ADD COLUMN bound_to TEXT NOT NULL DEFAULT ''",
];

/** How long it is known that something was issued, at least, after it has expired: a month to find out that it should not have been. */
const KEEP_ISSUED_MS: Millis = 30 * 86_400_000;

/** Lines at most, about 500 MB of the 10 GB that an object has; the oldest go first. */
const MAX_ISSUED = 1_000_000;

/** Lines in one answer of the chain. */
const MAX_PAGE = 1_000;

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
  hash: string;
  /** Absent from rows that are read before there was the column. */
  boundTo?: string;
}

const FIRST_COLUMNS = `serial AS number, kind, id, subject, audience, kid AS issuer, requester, issued_at AS at,
  expires_at AS expiresAt, hash`;

const COLUMNS = `${FIRST_COLUMNS}, bound_to AS boundTo`;

export class AuditStore {
  readonly #sql: SqlStorage;
  readonly #chain: AuditChain;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#chain = new AuditChain(sql, issuedRows(sql));
  }

  /** Must be called in a transaction. */
  record(line: Omit<AuditLine, "number" | "hash">): void {
    const number = this.#chain.newest() + 1;
    this.#sql.exec(
      `INSERT INTO issued (serial, kind, id, kid, subject, audience, requester, issued_at, expires_at, bound_to)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      number,
      line.kind,
      line.id,
      line.issuer,
      line.subject,
      line.audience,
      line.requester,
      line.at,
      line.expiresAt,
      line.boundTo ?? "",
    );
    this.#chain.append(number);
    this.#drop(number - MAX_ISSUED);
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
      .toArray()
      .map((row) => ({ ...issuedOf(row), ...(row.hash === "" ? {} : { hash: row.hash }) }));
  }

  /** The log as it can be checked, oldest first. */
  chain({ after, limit }: ChainRequest): ChainPage {
    return this.#chain.page(after, Math.min(limit, MAX_PAGE));
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

  /** Deletes lines that are old enough, as do all before them: a chain loses its beginning, and nothing from its middle. */
  prune(now: Millis): void {
    // Along the numbers, for the first that stays is near; the index on the end has all that stay.
    const [first] = this.#sql.exec<{ serial: number }>(
      "SELECT serial FROM issued WHERE +expires_at > ? ORDER BY serial LIMIT 1",
      now - KEEP_ISSUED_MS,
    );
    this.#drop(first === undefined ? this.#chain.newest() : first.serial - 1);
  }

  /** When the oldest line is to go; `null` when there is none. */
  nextPrune(): Millis | null {
    const [first] = this.#sql.exec<{ end: number }>(
      "SELECT expires_at AS end FROM issued ORDER BY serial LIMIT 1",
    );
    return first === undefined ? null : first.end + KEEP_ISSUED_MS;
  }

  /** Deletes the lines up to a number. */
  #drop(upTo: number): void {
    const [last] = this.#sql.exec<{ number: number; hash: string }>(
      "SELECT serial AS number, hash FROM issued WHERE serial <= ? ORDER BY serial DESC LIMIT 1",
      upTo,
    );
    if (last === undefined) return;
    this.#sql.exec("DELETE FROM issued WHERE serial <= ?", upTo);
    this.#chain.prune(last);
  }
}

/** The rows of the log. What a line says is all of its columns. */
function issuedRows(sql: SqlStorage, columns = COLUMNS): ChainedRows {
  return {
    *read(after, limit): Generator<ChainLine> {
      const rows = sql.exec<AuditRow>(
        `SELECT ${columns} FROM issued WHERE serial > ? ORDER BY serial LIMIT ?`,
        after,
        limit,
      );
      for (const row of rows) yield { number: row.number, hash: row.hash, content: contentOf(issuedOf(row)) };
    },
    stamp: (number, hash) => void sql.exec("UPDATE issued SET hash = ? WHERE serial = ?", hash, number),
  };
}

/** What is bound to nothing says nothing of it: so lines from before tokens could be bound keep their hashes. */
function issuedOf(line: Omit<AuditLine, "hash">): Omit<AuditLine, "hash"> {
  const { number, kind, id, subject, audience, issuer, requester, at, expiresAt, boundTo = "" } = line;
  const told = { number, kind, id, subject, audience, issuer, requester, at, expiresAt };
  return boundTo === "" ? told : { ...told, boundTo };
}
