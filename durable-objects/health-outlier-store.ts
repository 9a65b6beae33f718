/**
 * Pooled outlier detection of one service: the order in force, and what hosts
 * reported. One record that is written whole, since a report touches most of it.
 *
 * @module
 */
import * as outlier from "../shared/engine/outlier.ts";
import type { Ejection, Track } from "../shared/engine/outlier.ts";
import * as outlierPool from "../shared/engine/outlier-pool.ts";
import type { Evidence, Pool } from "../shared/engine/outlier-pool.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { OutcomeReport, OutlierOrder } from "../shared/wire/rpc.ts";
import { isSameJson } from "./json.ts";

export const OUTLIER_MIGRATIONS: readonly string[] = [
  "CREATE TABLE outliers (endpoints TEXT NOT NULL, policy TEXT NOT NULL, pool TEXT NOT NULL)",
];

/** Endpoints that are looked at. With bounded names the record stays under 1.5 MB; the platform takes 2 MB a row. */
export const MAX_ENDPOINTS = 1_000;

/** A namespace, a service account and the name of an isolate. */
const MAX_REPORTER_LENGTH = 384;

interface OutlierRow extends Record<string, SqlStorageValue> {
  endpoints: string;
  policy: string;
  pool: string;
}

/** `Pool` as JSON has it. */
interface StoredPool {
  readonly tracks: readonly (readonly [string, Track])[];
  readonly intervalEndsAt: Millis;
  readonly outUntil: Millis;
  readonly evidence: readonly (readonly [string, Evidence])[];
  readonly reporters: readonly (readonly [string, number])[];
}

export class OutlierStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Takes over an order. What is known stays, of endpoints that are still there; without an order it is forgotten. */
  configure(order: OutlierOrder | undefined): void {
    if (order === undefined) {
      this.#sql.exec("DELETE FROM outliers");
      return;
    }
    const endpoints = order.endpoints.slice(0, MAX_ENDPOINTS);
    const known = this.#load();
    if (known !== null && isSameJson(known.order, { ...order, endpoints })) return;
    const pool = known?.pool ?? outlierPool.createPool();
    outlierPool.retain(pool, new Set(endpoints));
    this.#sql.exec("DELETE FROM outliers");
    this.#sql.exec(
      "INSERT INTO outliers VALUES (?, ?, ?)",
      JSON.stringify(endpoints),
      JSON.stringify(order.policy),
      formatPool(pool),
    );
  }

  /** Folds a report in, and answers the ejections that follow. Repeating it changes nothing. */
  fold(report: OutcomeReport, now: Millis): readonly Ejection[] {
    const known = this.#load();
    if (known === null || !isNumbered(report)) return [];
    const { policy, endpoints } = known.order;
    const ejected = outlierPool.fold(known.pool, policy, report, { endpoints, now });
    this.#save(known.pool);
    return ejected;
  }

  /** Ends the ejections of endpoints that passed a check. Answers whether there were any. */
  readmit(ids: readonly string[], now: Millis): boolean {
    const known = this.#load();
    if (known === null) return false;
    const readmitted = ids.filter((id) => outlier.readmit(known.pool.tracker, id, now));
    if (readmitted.length > 0) this.#save(known.pool);
    return readmitted.length > 0;
  }

  /** The ejections in force. */
  ejections(now: Millis): readonly Ejection[] {
    const known = this.#load();
    return known === null ? [] : outlier.ejections(known.pool.tracker, now);
  }

  #load(): { readonly order: OutlierOrder; readonly pool: Pool } | null {
    const [row] = this.#sql.exec<OutlierRow>("SELECT * FROM outliers");
    if (row === undefined) return null;
    const order = { policy: JSON.parse(row.policy), endpoints: JSON.parse(row.endpoints) };
    return { order, pool: parsePool(row.pool) };
  }

  #save(pool: Pool): void {
    this.#sql.exec("UPDATE outliers SET pool = ?", formatPool(pool));
  }
}

/** Whether a report can be told from a repetition of itself. */
function isNumbered({ reporter, sequence }: OutcomeReport): boolean {
  return reporter.length <= MAX_REPORTER_LENGTH && Number.isSafeInteger(sequence);
}

function formatPool({ tracker, evidence, reporters }: Pool): string {
  const { tracks, intervalEndsAt, outUntil } = tracker;
  const stored: StoredPool = {
    tracks: [...tracks],
    intervalEndsAt,
    outUntil,
    evidence: [...evidence],
    reporters: [...reporters],
  };
  return JSON.stringify(stored);
}

function parsePool(text: string): Pool {
  const { tracks, intervalEndsAt, outUntil, evidence, reporters }: StoredPool = JSON.parse(text);
  return {
    tracker: { tracks: new Map(tracks), intervalEndsAt, outUntil },
    evidence: new Map(evidence),
    reporters: new Map(reporters),
  };
}
