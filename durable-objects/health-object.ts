/**
 * The health of one service: who has registered for it and still beats, which
 * of its endpoints answer the checks that its policy asks for, and which fail
 * the calls of its hosts.
 *
 * Beats, checks and outcomes end here. The registry hears of transitions only: an
 * endpoint came, changed, fell silent, failed, was ejected, recovered or went. A transition
 * is written down before it is told, and told again by alarm until the
 * registry has it.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import { fail, succeed, type Outcome, type Problem } from "../shared/wire/problem.ts";
import type { EndpointPublication } from "../shared/wire/registry-rpc.ts";
import type { CheckOrder, HealthApi, Lease, OutcomeReport, Registration } from "../shared/wire/rpc.ts";
import { registryOf, type Env } from "./env.ts";
import { CheckStore } from "./health-check-store.ts";
import { OutlierStore } from "./health-outlier-store.ts";
import { nextBatch, passedIn, probeBatch, settleBatch, type Batch } from "./health-round.ts";
import type { ProbeResult } from "./health-probe.ts";
import { HEALTH_MIGRATIONS, HealthStore, type Publication } from "./health-store.ts";
import { heartbeatEveryMs, hold, renew, sweep, type HeldLease } from "./lease.ts";
import { checkRegistration, pickRegistration } from "./registration.ts";
import { isSameJson } from "./json.ts";
import { migrate } from "./schema.ts";

/** Registered endpoints of one service: their publication must fit a row of 2 MB. */
const MAX_LEASES = 1_000;

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** When the alarm comes back if its handler dies on the way. A handler that is still at work is not disturbed. */
const SAFETY_ALARM_MS = 10_000;

/** Batches of six probes in one alarm: 48 subrequests, below the 50 of the smallest plan. The next alarm goes on. */
const MAX_BATCHES = 8;

export class HealthObject extends DurableObject<Env> implements HealthApi {
  readonly #store: HealthStore;
  readonly #checks: CheckStore;
  readonly #outliers: OutlierStore;
  /** One publication at a time; callers that come meanwhile share it. */
  #flight: Promise<void> | null = null;
  /** One round of checks at a time. */
  #round: Promise<void> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    migrate(ctx.storage, HEALTH_MIGRATIONS);
    this.#store = new HealthStore(ctx.storage.sql);
    this.#checks = new CheckStore(ctx.storage.sql);
    this.#outliers = new OutlierStore(ctx.storage.sql);
  }

  /**
   * Begins or renews a lease. The service need not be configured yet: what has
   * registered is served once it is. Answers after the registry knows, or after
   * the first try to tell it failed. Ends a draining: whoever registers is there to be called.
   */
  async register(service: string, registration: Registration): Promise<Outcome<Lease>> {
    const fields = checkRegistration(service, registration, this.env.SELVEDGE_PRIVATE_ENDPOINTS === "allow");
    if (fields.length > 0) {
      return fail({ code: "config.invalid", detail: "The endpoint was not registered.", fields });
    }
    const held = this.#store.lease(registration.id);
    if (held === null && this.#store.count() >= MAX_LEASES) return fail(full(service));
    const picked = pickRegistration(registration);
    const kept = held === null ? null : { ...held, isDraining: false };
    const lease = kept === null ? hold(picked, Date.now()) : renew(kept, picked, Date.now());
    return this.#keep(service, held, lease);
  }

  /** Renews a lease. */
  async heartbeat(service: string, id: string): Promise<Outcome<Lease>> {
    const held = this.#store.lease(id);
    if (held === null) return this.#unknown(service, id);
    return this.#keep(service, held, renew(held, held.registration, Date.now()));
  }

  /** Keeps new calls away until it registers anew. It stays in sight of who called it, and its beats go on. */
  async drain(service: string, id: string): Promise<Outcome<Lease>> {
    const held = this.#store.lease(id);
    if (held === null) return this.#unknown(service, id);
    return this.#keep(service, held, { ...held, isDraining: true });
  }

  /** Ends a lease at once. */
  async deregister(service: string, id: string): Promise<Outcome<null>> {
    if (this.#store.lease(id) === null) return this.#unknown(service, id);
    await this.#transition(service, () => this.#store.remove(id));
    return succeed(null);
  }

  /** All leases, by id; one that has run out stays until the next sweep. */
  async leases(_service: string): Promise<readonly Lease[]> {
    await this.#rearm();
    return this.#store.leases().map(describe);
  }

  /**
   * Takes over what to check and by what to pool, from the registry. The first order is answered
   * with all that is known here: an object that has lost its storage takes back
   * what it once told.
   */
  async configure(service: string, order: CheckOrder): Promise<void> {
    const known = this.#checks.checks();
    if (known === null || order.sequence > known.sequence) {
      this.#write(service, () => {
        const before = this.#verdicts();
        this.#checks.configure(service, order, Date.now());
        this.#outliers.configure(order.outlier);
        return known === null || !isSameJson(before, this.#verdicts());
      });
    }
    await this.#arm();
    // Not awaited: it is the registry that waits for this answer.
    this.ctx.waitUntil(this.#publish().then(() => this.#arm()));
  }

  /**
   * Pools what a host saw of endpoints. An ejection that follows is told to the
   * registry before this answers, if the first try succeeds.
   */
  async reportOutcomes(service: string, report: OutcomeReport): Promise<void> {
    const hasNews = this.#write(service, () => {
      const ejected = this.#outliers.fold(report, Date.now());
      for (const { endpoint, until } of ejected)
        console.warn(`health: ${service} ${endpoint} is ejected until ${new Date(until).toISOString()}`);
      return ejected.length > 0;
    });
    await this.#rearm();
    if (!hasNews) return;
    await this.#publish();
    await this.#arm();
  }

  /** Sweeps, checks, and publishes what is not published. Running twice, early or late does no harm. */
  override async alarm(): Promise<void> {
    try {
      await this.ctx.storage.setAlarm(Date.now() + SAFETY_ALARM_MS);
      this.#sweep(Date.now());
      // Side by side: a registry that is slow to hear does not keep endpoints from being checked.
      await Promise.all([this.#publish(), this.#check()]);
      await this.#flight;
      await this.#arm();
    } catch (error) {
      // Thrown errors are retried six times and then the alarm is gone; the safety alarm stays.
      console.error("health: alarm failed", error);
    }
  }

  /** Answers whether leases have lapsed or are doubted. */
  #sweep(now: number): boolean {
    const service = this.#store.publication()?.service;
    const { lapsed, doubted } = sweep(this.#store.leases(), now);
    if (service === undefined || lapsed.length + doubted.length === 0) return false;
    if (doubted.length > 0) {
      console.warn(`health: most endpoints of ${service} are silent; ${doubted.length} get a second term`);
    }
    return this.#write(service, () => {
      for (const { registration } of lapsed) this.#store.remove(registration.id);
      for (const lease of doubted) this.#store.put(lease);
      return true;
    });
  }

  #check(): Promise<void> {
    this.#round ??= this.#checkAll().finally(() => {
      this.#round = null;
    });
    return this.#round;
  }

  /** Goes on with the round of checks. Leases do not wait for it longer than one batch takes. */
  async #checkAll(): Promise<void> {
    for (let count = 0; count < MAX_BATCHES; count += 1) {
      const batch = nextBatch(this.#checks, Date.now(), Math.random());
      if (batch === null) return;
      const results = await probeBatch(this.env, batch);
      const hasNews = this.#write(batch.service, () => this.#settle(batch, results));
      const hasSwept = this.#sweep(Date.now());
      if (hasNews || hasSwept) this.ctx.waitUntil(this.#publish());
    }
  }

  /** Answers whether a verdict changed. An endpoint that passes is no longer kept out by outlier detection (Envoy). */
  #settle(batch: Batch, results: readonly ProbeResult[]): boolean {
    const now = Date.now();
    const hasChanged = settleBatch(this.#checks, batch, results, now);
    return this.#outliers.readmit(passedIn(batch, results), now) || hasChanged;
  }

  /** What the registry is told besides leases. */
  #verdicts(): Required<Pick<EndpointPublication, "checked" | "ejections">> {
    return { checked: this.#checks.checked(), ejections: this.#outliers.ejections(Date.now()) };
  }

  /** Stores a lease, and tells the registry if it must hear of it. */
  async #keep(service: string, held: HeldLease | null, lease: HeldLease): Promise<Outcome<Lease>> {
    const isChanged = isTransition(held, lease);
    if (isChanged) await this.#transition(service, () => this.#store.put(lease));
    else await this.#renew(lease);
    return succeed({ ...describe(lease), isChanged });
  }

  async #renew(lease: HeldLease): Promise<void> {
    this.#store.put(lease);
    await this.#rearm();
  }

  async #transition(service: string, write: () => void): Promise<void> {
    this.#write(service, () => {
      write();
      return true;
    });
    // Before publishing: should this instance die on the way, the alarm goes on.
    await this.#rearm();
    await this.#publish();
    await this.#arm();
  }

  /**
   * Writes a change together with its sequence, if the registry must hear of it
   * as `write` answers. The sequence follows the clock, so that an object that
   * has lost its storage is not taken for an older one. Answers what `write` does.
   */
  #write(service: string, write: () => boolean): boolean {
    return this.ctx.storage.transactionSync(() => {
      if (!write()) return false;
      const now = Date.now();
      const last = this.#store.publication() ?? { sequence: 0, published: 0 };
      const sequence = Math.max(last.sequence + 1, now);
      const { published } = last;
      this.#store.setPublication({
        service,
        sequence,
        published,
        attempts: 0,
        retryAt: now + FIRST_RETRY_MS,
      });
      return true;
    });
  }

  #publish(): Promise<void> {
    this.#flight ??= this.#publishAll().finally(() => {
      this.#flight = null;
    });
    return this.#flight;
  }

  /** Publishes until the newest transition is told, or a try fails. */
  async #publishAll(): Promise<void> {
    for (
      let due = this.#store.publication();
      due !== null && isBehind(due);
      due = this.#store.publication()
    ) {
      const isTold = await this.#tell(due);
      if (!isTold) return;
    }
  }

  async #tell({ service, sequence }: Publication): Promise<boolean> {
    const publication = { service, sequence, endpoints: this.#store.endpoints(), ...this.#verdicts() };
    try {
      await registryOf(this.env).publishEndpoints(publication);
      this.#amend((last) => ({ ...last, published: sequence, attempts: 0 }));
      return true;
    } catch (error) {
      console.warn(`health: ${service} could not be published, will try again`, error);
      this.#amend((last) => ({
        ...last,
        attempts: last.attempts + 1,
        retryAt: Date.now() + Math.min(FIRST_RETRY_MS * 2 ** last.attempts, LAST_RETRY_MS),
      }));
      return false;
    }
  }

  /** Changes the newest publication: more transitions may have been written since it was read. */
  #amend(change: (last: Publication) => Publication): void {
    const last = this.#store.publication();
    if (last !== null) this.#store.setPublication(change(last));
  }

  /** When there is work: a lease runs out, a check is due, or a publication is to be tried again. */
  #nextWake(): number | null {
    const publication = this.#store.publication();
    const retryAt = publication !== null && isBehind(publication) ? publication.retryAt : null;
    const due = [retryAt, this.#store.earliestEnd(), this.#checks.nextAt(Date.now())];
    const known = due.filter((at) => at !== null);
    return known.length === 0 ? null : Math.min(...known);
  }

  /** Makes up for a lost alarm or one that is too late. One that is early costs a sweep and is left. */
  async #rearm(): Promise<void> {
    const next = this.#nextWake();
    if (next === null) return;
    const armed = await this.ctx.storage.getAlarm();
    if (armed === null || armed > next) await this.ctx.storage.setAlarm(next);
  }

  async #arm(): Promise<void> {
    const next = this.#nextWake();
    if (next === null) await this.ctx.storage.deleteAlarm();
    else await this.ctx.storage.setAlarm(next);
  }

  async #unknown(service: string, id: string): Promise<Outcome<never>> {
    await this.#rearm();
    const detail = `${service} has no endpoint ${id}: it never registered or its lease has lapsed. Register it again.`;
    return fail({ code: "resource.not_found", detail });
  }
}

function isBehind({ sequence, published }: Publication): boolean {
  return published < sequence;
}

/** Whether the registry must hear of it: who is there, how it is reached, or whether it is well. */
function isTransition(held: HeldLease | null, next: HeldLease): boolean {
  if (held === null || held.isDoubted !== next.isDoubted || held.isDraining !== next.isDraining) return true;
  const { ttlMs } = next.registration;
  return !isSameJson({ ...held.registration, ttlMs }, next.registration);
}

function describe({ registration: { id, ttlMs }, expiresAt }: HeldLease): Lease {
  return { id, expiresAt, heartbeatEveryMs: heartbeatEveryMs(ttlMs) };
}

function full(service: string): Problem {
  const detail = `${service} has ${MAX_LEASES} registered endpoints, which is the most. Deregister some first.`;
  return { code: "config.conflict", detail };
}
