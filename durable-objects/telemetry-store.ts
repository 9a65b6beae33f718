/**
 * What hosts have reported, added up.
 *
 * @module
 */
import * as histogram from "../shared/engine/histogram.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { CallLabels, CallSeries, HostCounters, ViewRecord } from "../shared/wire/call-record.ts";
import type { IsolatesStatus } from "../shared/wire/telemetry-rpc.ts";
import { overflowLabels } from "./telemetry-check.ts";
import { addEdges, type EdgeCounts } from "./telemetry-topology.ts";

export const TELEMETRY_MIGRATIONS: readonly string[] = [
  `CREATE TABLE reporters (
     reporter TEXT PRIMARY KEY, sequence INTEGER NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE series (
     labels TEXT PRIMARY KEY, count INTEGER NOT NULL, sum_ms REAL NOT NULL, buckets TEXT NOT NULL);
   CREATE TABLE host (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE edges (
     minute INTEGER NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL, version TEXT NOT NULL,
     count INTEGER NOT NULL, failures INTEGER NOT NULL, buckets TEXT NOT NULL,
     PRIMARY KEY (minute, source, destination, version));
   CREATE TABLE began (at INTEGER NOT NULL)`,
  `ALTER TABLE reporters ADD COLUMN version INTEGER;
   ALTER TABLE reporters ADD COLUMN is_current INTEGER`,
  `CREATE TABLE calls (
     id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, unit TEXT NOT NULL, call TEXT NOT NULL,
     is_admitted INTEGER NOT NULL, calls INTEGER NOT NULL, seen_at INTEGER NOT NULL, UNIQUE (unit, call))`,
];

/** Series at most, besides those named `other`: about 4 MB of an answer. */
export const MAX_SERIES = 10_000;

/** Windows of edges at most, besides those named `other`: 5,000 edges in each of five minutes. */
const MAX_EDGES = 25_000;

/** How long a reporter's last sequence is known: hosts send again for seconds, not for minutes. */
const KEEP_REPORTER_MS: Millis = 600_000;

const MAX_REPORTERS = 10_000;

export const MINUTE_MS: Millis = 60_000;

interface SeriesRow extends Record<string, SqlStorageValue> {
  labels: string;
  count: number;
  sum_ms: number;
  buckets: string;
}

interface EdgeRow extends Record<string, SqlStorageValue> {
  source: string;
  destination: string;
  version: string;
  count: number;
  failures: number;
  buckets: string;
}

export class TelemetryStore {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  /** Notes a report of a host, unless it or a later one of that host was noted before. */
  admit(reporter: string, sequence: number, now: Millis): boolean {
    const [row] = this.#sql.exec<{ sequence: number }>(
      "SELECT sequence FROM reporters WHERE reporter = ?",
      reporter,
    );
    if (row !== undefined && row.sequence >= sequence) return false;
    this.#sql.exec(
      "INSERT OR REPLACE INTO reporters (reporter, sequence, seen_at) VALUES (?, ?, ?)",
      reporter,
      sequence,
      now,
    );
    this.#sql.exec("INSERT INTO began SELECT ? WHERE NOT EXISTS (SELECT * FROM began)", now);
    return true;
  }

  /** Notes what configuration a host has that has just been admitted. */
  noteView(reporter: string, { version, isCurrent }: ViewRecord): void {
    this.#sql.exec(
      "UPDATE reporters SET version = ?, is_current = ? WHERE reporter = ?",
      version,
      isCurrent ? 1 : 0,
      reporter,
    );
  }

  /** The hosts that were seen after a time and told of their configuration. */
  isolates(seenAfter: Millis): IsolatesStatus {
    return this.#sql
      .exec<{ current: number; stale: number; oldestVersion: number | null }>(
        `SELECT coalesce(sum(is_current), 0) AS current, coalesce(sum(1 - is_current), 0) AS stale,
           min(version) AS oldestVersion FROM reporters WHERE seen_at > ? AND version IS NOT NULL`,
        seenAfter,
      )
      .one();
  }

  /** Adds calls to their series; beyond the cap to one named `other`, which the answer counts. */
  addSeries(more: CallSeries): number {
    const known = this.#series(more.labels);
    const isOver = known === null && this.#span("series") >= MAX_SERIES;
    const labels = isOver ? overflowLabels(more.labels) : more.labels;
    const before = isOver ? this.#series(labels) : known;
    const after = before === null ? more : mergeSeries(before, more);
    this.#sql.exec(
      `INSERT INTO series VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         count = excluded.count, sum_ms = excluded.sum_ms, buckets = excluded.buckets`,
      writeLabels(labels),
      after.count,
      after.sumMs,
      JSON.stringify(after.buckets),
    );
    return isOver ? more.count : 0;
  }

  addHost(name: keyof HostCounters, value: number): void {
    this.#sql.exec(
      "INSERT INTO host VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
      name,
      value,
    );
  }

  /** Adds calls to an edge's window of one minute; beyond the cap to one named `other`. */
  addEdge(minute: number, more: EdgeCounts): void {
    const known = this.#edge(minute, more);
    const isOver = known === null && this.#span("edges") >= MAX_EDGES;
    const target = isOver ? { ...more, source: "other", destination: "other", version: "" } : more;
    const before = isOver ? this.#edge(minute, target) : known;
    const after = before === null ? target : addEdges(target, before);
    this.#sql.exec(
      `INSERT INTO edges VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
         count = excluded.count, failures = excluded.failures, buckets = excluded.buckets`,
      minute,
      after.source,
      after.destination,
      after.version,
      after.count,
      after.failures,
      JSON.stringify(after.buckets),
    );
  }

  /** All series, by their labels. */
  series(): CallSeries[] {
    return this.#sql.exec<SeriesRow>("SELECT * FROM series ORDER BY labels").toArray().map(readSeries);
  }

  host(): HostCounters {
    const rows = this.#sql.exec<{ name: string; value: number }>("SELECT name, value FROM host").toArray();
    const counted = new Map(rows.map(({ name, value }) => [name, value]));
    const valueOf = (name: keyof HostCounters) => counted.get(name) ?? 0;
    return {
      staleCalls: valueOf("staleCalls"),
      syncs: valueOf("syncs"),
      failedSyncs: valueOf("failedSyncs"),
      refusedSnapshots: valueOf("refusedSnapshots"),
      retries: valueOf("retries"),
      overflowedCalls: valueOf("overflowedCalls"),
      droppedMirrors: valueOf("droppedMirrors"),
      openedCircuits: valueOf("openedCircuits"),
      ejections: valueOf("ejections"),
      shadowedCalls: valueOf("shadowedCalls"),
      auditedCalls: valueOf("auditedCalls"),
      trialDenials: valueOf("trialDenials"),
      longCalls: valueOf("longCalls"),
      cutCalls: valueOf("cutCalls"),
    };
  }

  /** The windows of some minutes, both ends included. */
  edges(fromMinute: number, toMinute: number): EdgeCounts[] {
    const query = "SELECT * FROM edges WHERE minute BETWEEN ? AND ?";
    return this.#sql.exec<EdgeRow>(query, fromMinute, toMinute).toArray().map(readEdge);
  }

  /** When the first report came; `null` before it. */
  beganAt(): Millis | null {
    return this.#sql.exec<{ at: number }>("SELECT at FROM began").toArray()[0]?.at ?? null;
  }

  /** Drops windows before a minute, and reporters that were silent for long or are too many. */
  prune(beforeMinute: number, now: Millis): void {
    this.#sql.exec("DELETE FROM edges WHERE minute < ?", beforeMinute);
    this.#sql.exec("DELETE FROM reporters WHERE seen_at <= ?", now - KEEP_REPORTER_MS);
    this.#sql.exec(
      `DELETE FROM reporters WHERE reporter IN
         (SELECT reporter FROM reporters ORDER BY seen_at DESC LIMIT -1 OFFSET ?)`,
      MAX_REPORTERS,
    );
  }

  /** Whether anything is kept that `prune` will drop one day. */
  isPrunable(): boolean {
    return (
      this.#sql.exec("SELECT 1 FROM reporters UNION ALL SELECT 1 FROM edges LIMIT 1").toArray().length > 0
    );
  }

  #series(labels: CallLabels): CallSeries | null {
    const query = "SELECT * FROM series WHERE labels = ?";
    const [row] = this.#sql.exec<SeriesRow>(query, writeLabels(labels));
    return row === undefined ? null : readSeries(row);
  }

  #edge(minute: number, { source, destination, version }: EdgeCounts): EdgeCounts | null {
    const query = "SELECT * FROM edges WHERE minute = ? AND source = ? AND destination = ? AND version = ?";
    const [row] = this.#sql.exec<EdgeRow>(query, minute, source, destination, version);
    return row === undefined ? null : readEdge(row);
  }

  /** Rows of a table, without reading them all: rows are only ever appended, and go from the front. */
  #span(table: "series" | "edges"): number {
    const query = `SELECT (SELECT max(rowid) FROM ${table}) - (SELECT min(rowid) FROM ${table}) + 1 AS span`;
    return this.#sql.exec<{ span: number | null }>(query).one().span ?? 0;
  }
}

/** A row's name: the values in one order, whatever order they were sent in. */
function writeLabels(labels: CallLabels): string {
  const { source, destination, version, route, method, statusClass, reason } = labels;
  return JSON.stringify([source, destination, version, route, method, statusClass, reason]);
}

function mergeSeries(before: CallSeries, more: CallSeries): CallSeries {
  return {
    labels: before.labels,
    count: before.count + more.count,
    sumMs: before.sumMs + more.sumMs,
    buckets: histogram.merge(before.buckets, more.buckets),
  };
}

function readSeries({ labels, count, sum_ms, buckets }: SeriesRow): CallSeries {
  const [source, destination, version, route, method, statusClass, reason] = JSON.parse(labels);
  return {
    labels: { source, destination, version, route, method, statusClass, reason },
    count,
    sumMs: sum_ms,
    buckets: JSON.parse(buckets),
  };
}

function readEdge({ source, destination, version, count, failures, buckets }: EdgeRow): EdgeCounts {
  return { source, destination, version, count, failures, buckets: JSON.parse(buckets) };
}
