/**
 * The compiled units of the registry, each with the version that last changed
 * it. A deleted unit leaves a tombstone, so that hosts that hold it are told.
 *
 * @module
 */
import type { Unit, UnitKey } from "../shared/engine/snapshot.ts";

/**
 * Tombstones kept. A host that is behind the oldest is told everything that it
 * holds, so the number bounds storage and costs a slow host one full answer.
 */
const MAX_TOMBSTONES = 10_000;

/** A compiled unit as it is stored; `null` is a tombstone. */
export type UnitBody = string | null;

/** A place in the order in which units are stored elsewhere: by version, then key. */
export interface Cursor {
  readonly version: number;
  readonly key: UnitKey;
}

/** Before the first unit. */
export const FIRST: Cursor = { version: 0, key: "" };

/** A unit to be stored elsewhere. */
export interface StorableUnit extends Cursor {
  readonly body: UnitBody;
}

/** The kinds of units that belong to a namespace: to their service's, their Endpoint's, their Gateway's. */
const KINDS = ["service", "workload", "host"];

/** Whether a unit belongs to a namespace. */
export function isUnitOf(key: UnitKey, namespace: string): boolean {
  return KINDS.some((kind) => key.startsWith(`${kind}:${namespace}/`));
}

export class UnitStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** The version in force: that of the newest change. 0 only before the first unit is written. */
  version(): number {
    const { version } = this.#sql
      .exec<{ version: number | null }>("SELECT max(version) AS version FROM units")
      .one();
    // The newest change may have been one whose tombstones are all gone.
    return Math.max(version ?? 0, this.#horizon());
  }

  /** A unit's JSON; `null` when it does not exist (any more). */
  body(key: UnitKey): UnitBody {
    const [row] = this.#sql.exec<{ body: UnitBody }>("SELECT body FROM units WHERE key = ?", key);
    return row?.body ?? null;
  }

  /** A unit; `null` when it does not exist (any more). */
  unit(key: UnitKey): Unit | null {
    const body = this.body(key);
    return body === null ? null : JSON.parse(body);
  }

  /** The bytes of a unit's JSON; 0 when it does not exist. */
  size(key: UnitKey): number {
    const [row] = this.#sql.exec<{ bytes: number | null }>(
      "SELECT octet_length(body) AS bytes FROM units WHERE key = ?",
      key,
    );
    return row?.bytes ?? 0;
  }

  /** The bytes of all units of a namespace. */
  weigh(namespace: string): number {
    const weights = KINDS.map((kind) => {
      // What stands between a slash and the character after it begins with the slash.
      const { bytes } = this.#sql
        .exec<{ bytes: number }>(
          "SELECT coalesce(sum(octet_length(body)), 0) AS bytes FROM units WHERE key > ? AND key < ?",
          `${kind}:${namespace}/`,
          `${kind}:${namespace}0`,
        )
        .one();
      return bytes;
    });
    return weights.reduce((sum, bytes) => sum + bytes, 0);
  }

  /** The keys of all units that exist. */
  keys(): UnitKey[] {
    const rows = this.#sql.exec<{ key: string }>("SELECT key FROM units WHERE body IS NOT NULL");
    return [...rows].map((row) => row.key);
  }

  /** The keys of units that changed or went after a version. `null` when that is not known any more. */
  changedSince(version: number): Set<UnitKey> | null {
    if (version > this.version() || version < this.#horizon()) return null;
    const rows = this.#sql.exec<{ key: string }>("SELECT key FROM units WHERE version > ?", version);
    return new Set([...rows].map((row) => row.key));
  }

  /** Units and tombstones in the order of their last change, from behind a place in it. */
  after({ version, key }: Cursor, limit: number): StorableUnit[] {
    const rows = this.#sql.exec<{ key: string; version: number; body: UnitBody }>(
      "SELECT key, version, body FROM units WHERE (version, key) > (?, ?) ORDER BY version, key LIMIT ?",
      version,
      key,
      limit,
    );
    return [...rows];
  }

  /**
   * Writes changed units under one new version. Nothing changed: the version
   * stays. Tombstones newer than `settled` are kept, however many they are.
   */
  write(changed: Iterable<readonly [UnitKey, UnitBody]>, settled = Number.POSITIVE_INFINITY): void {
    const version = this.version() + 1;
    for (const [key, body] of changed) {
      this.#sql.exec(
        "INSERT OR REPLACE INTO units (key, version, body) VALUES (?, ?, ?)",
        key,
        version,
        body,
      );
    }
    this.#prune(settled);
  }

  /** The newest version whose tombstones are gone: what happened up to it is not told one by one. */
  #horizon(): number {
    const [row] = this.#sql.exec<{ value: string }>("SELECT value FROM facts WHERE name = 'horizon'");
    return Number(row?.value ?? 0);
  }

  #prune(settled: number): void {
    const [edge] = this.#sql.exec<{ version: number }>(
      "SELECT version FROM units WHERE body IS NULL ORDER BY version DESC LIMIT 1 OFFSET ?",
      MAX_TOMBSTONES,
    );
    const horizon = Math.min(edge?.version ?? 0, settled);
    if (horizon <= this.#horizon()) return;
    this.#sql.exec("DELETE FROM units WHERE body IS NULL AND version <= ?", horizon);
    this.#sql.exec("INSERT OR REPLACE INTO facts VALUES ('horizon', ?)", String(horizon));
  }
}
