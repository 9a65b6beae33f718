/**
 * A service's circuits as all hosts see them together.
 *
 * @module
 */
import { DurableObject } from "cloudflare:workers";
import type { Millis } from "../shared/engine/time.ts";
import type { CircuitApi, CircuitReport } from "../shared/wire/rpc.ts";
import { CircuitRecord, claimProbe, foldReports, nextExpiry, settle } from "./circuit-store.ts";
import { registryOf, type Env } from "./env.ts";

/** How long to wait before telling the registry again what it could not hear. */
const PUBLISH_AGAIN_MS: Millis = 5_000;

/**
 * One per service. Hosts report transitions of their own circuits only, so it
 * is called seldom; what it decides reaches the other hosts through the
 * registry, never by a call on the request path.
 */
export class CircuitObject extends DurableObject<Env> implements CircuitApi {
  readonly #record: CircuitRecord;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#record = new CircuitRecord(ctx, {});
    void ctx.blockConcurrencyWhile(() => this.#record.loadFromStorage());
  }

  /** Folds transitions that a host saw, and publishes the ejections that follow. Repeating a report changes nothing. */
  async report(service: string, reports: readonly CircuitReport[]): Promise<void> {
    this.#record.service = service;
    foldReports(this.#record, reports, Date.now());
    await this.#commit();
  }

  /** Grants the half-open probe of an endpoint to one reporter, for as long as it asks for within limits. */
  async claimProbe(service: string, endpoint: string, reporter: string, forMs?: number): Promise<boolean> {
    this.#record.service = service;
    const isGranted = claimProbe(this.#record, endpoint, { reporter, forMs }, Date.now());
    if (isGranted) await this.#commit();
    return isGranted;
  }

  /** Lets reports expire, and tells the registry what it has not heard. */
  override async alarm(): Promise<void> {
    await this.#commit();
  }

  /** Saves the record together with the alarm that continues it, then publishes. */
  async #commit(): Promise<void> {
    settle(this.#record, Date.now());
    await this.#save();
    if (this.#record.publishedSequence < this.#record.sequence) await this.#publish();
  }

  /** Both writes start without a wait between them, so that the platform stores both or neither. */
  async #save(): Promise<void> {
    const due = this.#due(Date.now());
    await Promise.all([
      this.#record.persist(),
      due === null ? this.ctx.storage.deleteAlarm() : this.ctx.storage.setAlarm(due),
    ]);
  }

  async #publish(): Promise<void> {
    const { service, sequence, ejected } = this.#record;
    try {
      await registryOf(this.env).publishEjections({ service, sequence, ejected });
    } catch {
      // The alarm that `#save` has set tries again; the endpoints' hosts have their own circuits meanwhile.
      return;
    }
    this.#record.publishedSequence = Math.max(this.#record.publishedSequence, sequence);
    await this.#save();
  }

  #due(now: Millis): Millis | null {
    const isBehind = this.#record.publishedSequence < this.#record.sequence;
    return isBehind ? now + PUBLISH_AGAIN_MS : nextExpiry(this.#record);
  }
}
