/**
 * The tables of one service's checks: what to check, how far the running
 * round has come, and where each endpoint stands.
 *
 * @module
 */
import { NEW, verdictOf, type HealthCheck, type Standing } from "../shared/engine/health-check.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { CheckedEndpoint } from "../shared/wire/registry-rpc.ts";
import type { CheckOrder, CheckTarget } from "../shared/wire/rpc.ts";

export const CHECK_MIGRATIONS: readonly string[] = [
  `CREATE TABLE checks (
     service TEXT NOT NULL, sequence INTEGER NOT NULL, body TEXT, cursor TEXT, next_at INTEGER NOT NULL);
   CREATE TABLE targets (
     id TEXT PRIMARY KEY, address TEXT NOT NULL, standing TEXT NOT NULL, is_probed INTEGER NOT NULL)`,
];

/** The order in force, and the rounds. */
export interface Checks {
  /** `namespace/name`. */
  readonly service: string;
  /** Of the order. */
  readonly sequence: number;
  /** `null` when nothing is to be checked. */
  readonly check: HealthCheck | null;
  /** The last id that the running round has checked, `""` for none; `null` between rounds. */
  readonly cursor: string | null;
  /** When the next round begins. */
  readonly nextAt: Millis;
}

export interface StandingTarget extends CheckTarget {
  readonly standing: Standing;
}

interface ChecksRow extends Record<string, SqlStorageValue> {
  service: string;
  sequence: number;
  body: string | null;
  cursor: string | null;
  next_at: number;
}

interface TargetRow extends Record<string, SqlStorageValue> {
  id: string;
  address: string;
  standing: string;
}

export class CheckStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** `null` before the first order. */
  checks(): Checks | null {
    const [row] = this.#sql.exec<ChecksRow>("SELECT * FROM checks");
    if (row === undefined) return null;
    const { service, sequence, body, cursor, next_at: nextAt } = row;
    return { service, sequence, check: body === null ? null : JSON.parse(body), cursor, nextAt };
  }

  setChecks({ service, sequence, check, cursor, nextAt }: Checks): void {
    const body = check === null ? null : JSON.stringify(check);
    this.#sql.exec("DELETE FROM checks");
    this.#sql.exec("INSERT INTO checks VALUES (?, ?, ?, ?, ?)", service, sequence, body, cursor, nextAt);
  }

  /** Takes over an order. An endpoint keeps its standing while its address stays; a new one is probed at once. */
  configure(service: string, { sequence, plan }: CheckOrder, now: Millis): void {
    const check = plan?.check ?? null;
    const next = now + (check?.intervalMs ?? 0);
    const known = this.checks();
    const { cursor, nextAt } = known?.check ? known : { cursor: null, nextAt: next };
    this.setChecks({ service, sequence, check, cursor, nextAt: Math.min(nextAt, next) });
    const targets = plan?.targets ?? [];
    const ids = new Set(targets.map(({ id }) => id));
    for (const { id } of this.#rows("SELECT * FROM targets")) {
      if (!ids.has(id)) this.#sql.exec("DELETE FROM targets WHERE id = ?", id);
    }
    for (const { id, address } of targets) {
      this.#sql.exec(
        `INSERT INTO targets VALUES (?1, ?2, ?3, 0) ON CONFLICT (id) DO UPDATE
           SET address = ?2, standing = ?3, is_probed = 0 WHERE address <> ?2`,
        id,
        JSON.stringify(address),
        JSON.stringify(NEW),
      );
    }
  }

  /** Those that have never been probed, at most `limit`. */
  unprobed(limit: number): StandingTarget[] {
    return this.#rows("SELECT * FROM targets WHERE is_probed = 0 ORDER BY id LIMIT ?", limit).map(
      parseTarget,
    );
  }

  /** The next of a round, at most `limit`. */
  after(cursor: string, limit: number): StandingTarget[] {
    const rows = this.#rows("SELECT * FROM targets WHERE id > ? ORDER BY id LIMIT ?", cursor, limit);
    return rows.map(parseTarget);
  }

  /** Whether an endpoint is still to be checked, where it was. */
  isTarget({ id, address }: CheckTarget): boolean {
    return (
      this.#rows("SELECT * FROM targets WHERE id = ? AND address = ?", id, JSON.stringify(address)).length > 0
    );
  }

  setStanding(id: string, standing: Standing): void {
    const text = JSON.stringify(standing);
    // A healthy endpoint that stays so costs no write.
    this.#sql.exec(
      "UPDATE targets SET standing = ?1, is_probed = 1 WHERE id = ?2 AND (standing <> ?1 OR is_probed = 0)",
      text,
      id,
    );
  }

  /** What the registry is told of the checks. */
  checked(): CheckedEndpoint[] {
    const check = this.checks()?.check ?? null;
    if (check === null) return [];
    return this.#rows("SELECT * FROM targets ORDER BY id").flatMap((row) => {
      const { id, standing } = parseTarget(row);
      const verdict = verdictOf(standing, check);
      return verdict === null ? [] : [{ id, ...verdict }];
    });
  }

  countTargets(): number {
    return this.#sql.exec<{ count: number }>("SELECT count(*) AS count FROM targets").one().count;
  }

  /** When there is something to check: `now` within a round; `null` for never. */
  nextAt(now: Millis): Millis | null {
    const checks = this.checks();
    if (checks === null || checks.check === null) return null;
    return checks.cursor !== null || this.unprobed(1).length > 0 ? now : checks.nextAt;
  }

  #rows(query: string, ...bindings: (string | number)[]): TargetRow[] {
    return [...this.#sql.exec<TargetRow>(query, ...bindings)];
  }
}

function parseTarget({ id, address, standing }: TargetRow): StandingTarget {
  return { id, address: JSON.parse(address), standing: JSON.parse(standing) };
}
