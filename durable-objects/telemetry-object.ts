/**
 * The mesh's counters: what all hosts report, added up.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { Millis } from "../shared/engine/time.ts";
import type { UnitKey } from "../shared/engine/snapshot.ts";
import type { CallReport } from "../shared/wire/call-record.ts";
import type {
  CallsOfUnit,
  IsolatesStatus,
  StoredCall,
  TelemetryApi,
  TelemetryTotals,
  Topology,
} from "../shared/wire/telemetry-rpc.ts";
import type { Env } from "./env.ts";
import { migrate } from "./schema.ts";
import { recordable } from "./telemetry-calls-check.ts";
import { CallStore } from "./telemetry-calls.ts";
import { countableHost, countableSeries, countableView, isNumbered } from "./telemetry-check.ts";
import { MINUTE_MS, TELEMETRY_MIGRATIONS, TelemetryStore } from "./telemetry-store.ts";
import { edgesOf, topologyOf } from "./telemetry-topology.ts";

/** Minutes that the topology covers, the current one included. */
const WINDOW_MINUTES = 5;

/** In the first moments of a mesh: shorter, and one call would look like a flood. */
const MIN_WINDOW_MS: Millis = 1_000;

/** While nothing is left but recorded calls. */
const HOUR_MS: Millis = 3_600_000;

export class TelemetryObject extends DurableObject<Env> implements TelemetryApi {
  readonly #store: TelemetryStore;
  readonly #calls: CallStore;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, TELEMETRY_MIGRATIONS);
    this.#store = new TelemetryStore(ctx.storage.sql);
    this.#calls = new CallStore(ctx.storage.sql);
  }

  /**
   * Adds a report, all of it or nothing. A repeated one counts once, and so
   * does one that arrives after a later one of its host; after ten minutes of
   * a host's silence that is forgotten. Series that make no sense are left out.
   */
  async report(report: CallReport): Promise<void> {
    if (!isNumbered(report)) return;
    this.ctx.storage.transactionSync(() => this.#add(report, Date.now()));
    await this.#arm();
  }

  /** Counters since the mesh began; they never go back. */
  async totals(): Promise<TelemetryTotals> {
    return { series: this.#store.series(), host: this.#store.host() };
  }

  /** The isolates that have reported within the last minute. */
  async isolates(): Promise<IsolatesStatus> {
    return this.#store.isolates(Date.now() - MINUTE_MS);
  }

  /** Who called whom in the last five minutes; since the first report if that is less. */
  async topology(): Promise<Topology> {
    const now = Date.now();
    const first = firstMinute(now);
    const from = Math.max(first * MINUTE_MS, this.#store.beganAt() ?? now);
    const windowMs = Math.max(MIN_WINDOW_MS, now - from);
    return topologyOf(this.#store.edges(first, minuteOf(now)), windowMs);
  }

  /** The units of which calls were recorded in the last 24 hours, and how many; of one namespace or of all. */
  async recordedUnits(namespaces: readonly string[] | null): Promise<readonly CallsOfUnit[]> {
    return this.#calls.units(namespaces, Date.now());
  }

  /** The calls recorded of some units in the last 24 hours, newest first: 10,000 at most. */
  async recordedCalls(units: readonly UnitKey[]): Promise<readonly StoredCall[]> {
    return this.#calls.calls(units, Date.now());
  }

  /** Forgets old windows, hosts and calls. */
  override async alarm(): Promise<void> {
    const now = Date.now();
    this.#store.prune(firstMinute(now), now);
    this.#calls.prune(now);
    if (this.#store.isPrunable()) await this.#arm();
    else if (!this.#calls.isEmpty()) await this.ctx.storage.setAlarm(now + HOUR_MS);
  }

  #add(report: CallReport, now: Millis): void {
    if (!this.#store.admit(report.reporter, report.sequence, now)) return;
    const view = countableView(report);
    if (view !== null) this.#store.noteView(report.reporter, view);
    const series = countableSeries(report);
    const overflowed = series.reduce((sum, each) => sum + this.#store.addSeries(each), 0);
    for (const edge of edgesOf(series)) this.#store.addEdge(minuteOf(now), edge);
    for (const [name, value] of countableHost(report)) this.#store.addHost(name, value);
    for (const sample of recordable(report)) this.#calls.add(sample, now);
    if (overflowed > 0) this.#store.addHost("overflowedCalls", overflowed);
  }

  /** On every report, since the platform drops an alarm whose handler failed six times. */
  async #arm(): Promise<void> {
    const armed = await this.ctx.storage.getAlarm();
    const next = Date.now() + MINUTE_MS;
    if (armed === null || armed > next) await this.ctx.storage.setAlarm(next);
  }
}

function minuteOf(now: Millis): number {
  return Math.floor(now / MINUTE_MS);
}

function firstMinute(now: Millis): number {
  return minuteOf(now) - WINDOW_MINUTES + 1;
}
