/**
 * The tables of the admin plane: tokens, what was done with them, and who
 * failed to show one.
 *
 * @module
 */
import { contentOf, type ChainLine } from "../shared/engine/hash-chain.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { Role } from "../shared/wire/access.ts";
import type { AccessToken, AuditEntry, AuditEvent, AuditQuery } from "../shared/wire/admin-rpc.ts";
import type { ChainPage, ChainRequest } from "../shared/wire/audit-chain.ts";
import { AuditChain, CHAIN_TABLE, MAX_CHAINED_AT_ONCE, type ChainedRows } from "./audit-chain.ts";
import type { Migration } from "./schema.ts";

export const ADMIN_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE tokens (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, role TEXT NOT NULL, namespaces TEXT,
     created_at INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER);
   CREATE TABLE audit (
     number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, principal TEXT NOT NULL,
     action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL, address TEXT NOT NULL, request_id TEXT NOT NULL);
   CREATE TABLE failures (source TEXT PRIMARY KEY, count INTEGER NOT NULL, since INTEGER NOT NULL)`,
  `ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
   CREATE INDEX audit_of_nobody ON audit (at) WHERE principal = 'anonymous';
   CREATE INDEX audit_of_break_glass ON audit (address, at) WHERE action = 'break-glass';
   ${CHAIN_TABLE}`,
  (sql) => {
    const { newest } = sql.exec<{ newest: number | null }>("SELECT max(number) AS newest FROM audit").one();
    new AuditChain(sql, auditRows(sql)).begin((newest ?? 0) - MAX_CHAINED_AT_ONCE);
  },
];

/** Rows of the audit log at most, some 500 MB of the 10 GB that an object has; the oldest go first. */
const MAX_AUDIT = 1_000_000;

/** Lines in one answer of the chain. */
const MAX_PAGE = 1_000;

interface TokenRow extends Record<string, SqlStorageValue> {
  id: string;
  name: string;
  hash: string;
  role: string;
  namespaces: string | null;
  created_at: number;
  created_by: string;
  expires_at: number;
  used_at: number | null;
}

interface AuditRow extends Record<string, SqlStorageValue> {
  number: number;
  at: number;
  principal: string;
  action: string;
  target: string;
  detail: string;
  address: string;
  request_id: string;
  hash: string;
}

/** Failures of one source since an instant. */
export interface Failures {
  readonly count: number;
  readonly since: Millis;
}

/** A token as it is kept. */
export interface StoredToken extends AccessToken {
  /** SHA-256 of the token, in hex. */
  readonly hash: string;
}

export class AdminStore {
  readonly #sql: SqlStorage;
  readonly #chain: AuditChain;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    this.#chain = new AuditChain(sql, auditRows(sql));
  }

  token(id: string): StoredToken | null {
    const [row] = this.#sql.exec<TokenRow>("SELECT * FROM tokens WHERE id = ?", id);
    return row === undefined ? null : tokenOf(row);
  }

  /** By name. */
  tokens(): AccessToken[] {
    return [...this.#sql.exec<TokenRow>("SELECT * FROM tokens ORDER BY name")].map((row) => {
      const { hash: _, ...token } = tokenOf(row);
      return token;
    });
  }

  isNamed(name: string): boolean {
    return [...this.#sql.exec("SELECT 1 FROM tokens WHERE name = ?", name)].length > 0;
  }

  countTokens(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM tokens").one().count;
  }

  putToken({ id, name, hash, role, namespaces, createdAt, createdBy, expiresAt, usedAt }: StoredToken): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
      id,
      name,
      hash,
      role,
      namespaces === null ? null : JSON.stringify(namespaces),
      createdAt,
      createdBy,
      expiresAt,
      usedAt,
    );
  }

  dropToken(id: string): void {
    this.#sql.exec("DELETE FROM tokens WHERE id = ?", id);
  }

  /** Drops tokens that ran out before an instant, so that their names are free again. */
  pruneTokens(before: Millis): void {
    this.#sql.exec("DELETE FROM tokens WHERE expires_at < ?", before);
  }

  /** Adds a line; one that is changed afterwards does not fit into the chain any more. Must be called in a transaction. */
  record(event: AuditEvent, at: Millis): void {
    const number = this.#chain.newest() + 1;
    const { principal, action, target, detail, address, requestId } = event;
    this.#sql.exec(
      `INSERT INTO audit (number, at, principal, action, target, detail, address, request_id)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      number,
      at,
      principal,
      action,
      target,
      detail,
      address,
      requestId,
    );
    this.#chain.append(number);
    this.#pruneAudit(number - MAX_AUDIT);
  }

  /** Newest first. */
  audit({ before, principal, limit }: AuditQuery): AuditEntry[] {
    const rows = this.#sql.exec<AuditRow>(
      "SELECT * FROM audit WHERE at < ? AND (? IS NULL OR principal = ?) ORDER BY number DESC LIMIT ?",
      before ?? Number.MAX_SAFE_INTEGER,
      principal ?? null,
      principal ?? null,
      limit,
    );
    return [...rows].map((row) => {
      const { number, hash } = row;
      return { ...entryOf({ ...row, requestId: row.request_id }), ...(hash === "" ? {} : { number, hash }) };
    });
  }

  /** The log as it can be checked, oldest first. */
  chain({ after, limit }: ChainRequest): ChainPage {
    return this.#chain.page(after, Math.min(limit, MAX_PAGE));
  }

  /** Lines since an instant that tell of somebody who had no credential. */
  countOfNobody(since: Millis): number {
    return this.#sql
      .exec<{ count: number }>(
        "SELECT count(*) AS count FROM audit WHERE principal = 'anonymous' AND at >= ?",
        since,
      )
      .one().count;
  }

  /** Whether a line since an instant tells that the bootstrap token was used from an address. */
  isBreakGlassTold(address: string, since: Millis): boolean {
    const rows = this.#sql.exec(
      "SELECT 1 FROM audit WHERE action = 'break-glass' AND address = ? AND at >= ? LIMIT 1",
      address,
      since,
    );
    return [...rows].length > 0;
  }

  /** Drops the lines up to a number. */
  #pruneAudit(upTo: number): void {
    const [last] = this.#sql.exec<{ number: number; hash: string }>(
      "SELECT number, hash FROM audit WHERE number <= ? ORDER BY number DESC LIMIT 1",
      upTo,
    );
    if (last === undefined) return;
    this.#sql.exec("DELETE FROM audit WHERE number <= ?", upTo);
    this.#chain.prune(last);
  }

  failures(source: string): Failures | null {
    const [row] = this.#sql.exec<{ count: number; since: number }>(
      "SELECT count, since FROM failures WHERE source = ?",
      source,
    );
    return row ?? null;
  }

  setFailures(source: string, { count, since }: Failures): void {
    this.#sql.exec("INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", source, count, since);
  }

  countFailing(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM failures").one().count;
  }

  pruneFailures(before: Millis): void {
    this.#sql.exec("DELETE FROM failures WHERE since < ?", before);
  }
}

/** The rows of the log. What a line says is all of its columns. */
function auditRows(sql: SqlStorage): ChainedRows {
  return {
    *read(after, limit): Generator<ChainLine> {
      const rows = sql.exec<AuditRow>(
        "SELECT * FROM audit WHERE number > ? ORDER BY number LIMIT ?",
        after,
        limit,
      );
      for (const row of rows) {
        const { number, hash } = row;
        const content = contentOf({ number, ...entryOf({ ...row, requestId: row.request_id }) });
        yield { number, hash, content };
      }
    },
    stamp: (number, hash) => void sql.exec("UPDATE audit SET hash = ? WHERE number = ?", hash, number),
  };
}

function entryOf({ at, principal, action, target, detail, address, requestId }: AuditEntry): AuditEntry {
  return { at, principal, action, target, detail, address, requestId };
}

function tokenOf(row: TokenRow): StoredToken {
  return {
    id: row.id,
    name: row.name,
    hash: row.hash,
    role: roleOf(row.role),
    namespaces: row.namespaces === null ? null : JSON.parse(row.namespaces),
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    usedAt: row.used_at,
  };
}

/** A role that this release does not know may do the least. */
function roleOf(text: string): Role {
  return text === "admin" || text === "editor" ? text : "viewer";
}
