/**
 * The tables of one service's health: leases, and how far its transitions
 * have been published.
 *
 * @module
 */
import type { Health } from "../shared/engine/endpoint.ts";
import type { RegisteredEndpoint } from "../shared/wire/registry-rpc.ts";
import { CHECK_MIGRATIONS } from "./health-check-store.ts";
import { OUTLIER_MIGRATIONS } from "./health-outlier-store.ts";
import type { HeldLease } from "./lease.ts";

export const HEALTH_MIGRATIONS: readonly string[] = [
  `CREATE TABLE leases (
     id TEXT PRIMARY KEY, registration TEXT NOT NULL, expires_at INTEGER NOT NULL, is_doubted INTEGER NOT NULL);
   CREATE INDEX leases_by_end ON leases (expires_at);
   CREATE TABLE publication (
     service TEXT NOT NULL, sequence INTEGER NOT NULL, published INTEGER NOT NULL,
     attempts INTEGER NOT NULL, retry_at INTEGER NOT NULL)`,
  // Leases that are older than the column began long ago.
  "ALTER TABLE leases ADD COLUMN since INTEGER NOT NULL DEFAULT 0",
  ...CHECK_MIGRATIONS,
  "ALTER TABLE leases ADD COLUMN is_draining INTEGER NOT NULL DEFAULT 0",
  ...OUTLIER_MIGRATIONS,
];

/** The newest transition and whether the registry has it. */
export interface Publication {
  /** `namespace/name`. */
  readonly service: string;
  /** Of the newest transition. */
  readonly sequence: number;
  /** The newest sequence that the registry has acknowledged. */
  readonly published: number;
  /** Failed attempts since the last success. */
  readonly attempts: number;
  /** When to try again, in milliseconds since the epoch, while `published` is behind `sequence`. */
  readonly retryAt: number;
}

interface LeaseRow extends Record<string, SqlStorageValue> {
  registration: string;
  expires_at: number;
  is_doubted: number;
  since: number;
  is_draining: number;
}

interface PublicationRow extends Record<string, SqlStorageValue> {
  service: string;
  sequence: number;
  published: number;
  attempts: number;
  retry_at: number;
}

export class HealthStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  lease(id: string): HeldLease | null {
    const [row] = this.#sql.exec<LeaseRow>("SELECT * FROM leases WHERE id = ?", id);
    return row === undefined ? null : parseLease(row);
  }

  /** All leases, by id. */
  leases(): HeldLease[] {
    return [...this.#sql.exec<LeaseRow>("SELECT * FROM leases ORDER BY id")].map(parseLease);
  }

  count(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM leases").one().count;
  }

  /** When the first lease runs out; `null` without leases. */
  earliestEnd(): number | null {
    return this.#sql.exec<{ at: number | null }>("SELECT min(expires_at) AS at FROM leases").one().at;
  }

  put({ registration, expiresAt, isDoubted, isDraining, since }: HeldLease): void {
    this.#sql.exec(
      `INSERT OR REPLACE INTO leases (id, registration, expires_at, is_doubted, since, is_draining)
       VALUES (?, ?, ?, ?, ?, ?)`,
      registration.id,
      JSON.stringify(registration),
      expiresAt,
      isDoubted ? 1 : 0,
      since,
      isDraining ? 1 : 0,
    );
  }

  remove(id: string): void {
    this.#sql.exec("DELETE FROM leases WHERE id = ?", id);
  }

  /** What the registry is told of every lease. */
  endpoints(): RegisteredEndpoint[] {
    return this.leases().map((lease) => {
      const { id, address, labels, weight, isJoined, serviceAccount, locality } = lease.registration;
      return {
        id,
        address,
        labels,
        weight,
        health: healthOf(lease),
        isJoined,
        serviceAccount,
        since: lease.since,
        ...(locality === undefined ? {} : { locality }),
      };
    });
  }

  /** The state of publication; `null` before the first transition. */
  publication(): Publication | null {
    const [row] = this.#sql.exec<PublicationRow>("SELECT * FROM publication");
    if (row === undefined) return null;
    const { service, sequence, published, attempts, retry_at: retryAt } = row;
    return { service, sequence, published, attempts, retryAt };
  }

  setPublication({ service, sequence, published, attempts, retryAt }: Publication): void {
    this.#sql.exec("DELETE FROM publication");
    this.#sql.exec(
      "INSERT INTO publication (service, sequence, published, attempts, retry_at) VALUES (?, ?, ?, ?, ?)",
      service,
      sequence,
      published,
      attempts,
      retryAt,
    );
  }
}

function healthOf({ isDoubted, isDraining }: HeldLease): Health {
  if (isDraining) return "draining";
  return isDoubted ? "unhealthy" : "healthy";
}

function parseLease(row: LeaseRow): HeldLease {
  return {
    registration: JSON.parse(row.registration),
    expiresAt: row.expires_at,
    isDoubted: row.is_doubted === 1,
    isDraining: row.is_draining === 1,
    since: row.since,
  };
}
