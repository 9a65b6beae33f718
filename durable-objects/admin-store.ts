/**
 * The tables of the admin plane: tokens, what was done with them, and who
 * failed to show one.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { Role } from "../shared/wire/access.ts";
import type { AccessToken, AuditEntry, AuditEvent, AuditQuery } from "../shared/wire/admin-rpc.ts";

export const ADMIN_MIGRATIONS: readonly string[] = [
  `CREATE TABLE tokens (
     id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, role TEXT NOT NULL, namespaces TEXT,
     created_at INTEGER NOT NULL, created_by TEXT NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER);
   CREATE TABLE audit (
     number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, principal TEXT NOT NULL,
     action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL, address TEXT NOT NULL, request_id TEXT NOT NULL);
   CREATE TABLE failures (source TEXT PRIMARY KEY, count INTEGER NOT NULL, since INTEGER NOT NULL)`,
];

/** Rows of the audit log at most, some 50 MB; the oldest go first. */
export const MAX_AUDIT = 100_000;

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

  constructor(sql: SqlStorage) {
    this.#sql = sql;
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

  /** Adds a line that nobody can change. */
  record({ principal, action, target, detail, address, requestId }: AuditEvent, at: Millis): void {
    this.#sql.exec(
      "INSERT INTO audit (at, principal, action, target, detail, address, request_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
      at,
      principal,
      action,
      target,
      detail,
      address,
      requestId,
    );
    this.#sql.exec("DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?", MAX_AUDIT);
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
    return [...rows].map(({ at, principal, action, target, detail, address, request_id: requestId }) => {
      return { at, principal, action, target, detail, address, requestId };
    });
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
