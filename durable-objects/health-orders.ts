/**
 * What the registry has to tell health objects: the checks that each service
 * is to have, and by what outliers are detected. An outbox: written with the change that an order follows from,
 * and sent by alarm until the service's object has it.
 *
 * @module
 */
import { checkPlan, outlierOrder } from "../shared/compile/check-plan.ts";
import type { World } from "../shared/compile/world.ts";
import { serviceKey, type UnitKey } from "../shared/engine/snapshot.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { CheckPlan, OutlierOrder } from "../shared/wire/rpc.ts";
import { healthOf, type Env } from "./env.ts";
import type { Outbox } from "./errands.ts";

export const ORDER_MIGRATIONS: readonly string[] = [
  `CREATE TABLE check_orders (
     service TEXT PRIMARY KEY, sequence INTEGER NOT NULL, body TEXT,
     due_at INTEGER NOT NULL, attempts INTEGER NOT NULL);
   CREATE INDEX check_orders_by_due ON check_orders (due_at)`,
];

/** They came after others of the registry. */
export const OUTLIER_ORDER_MIGRATIONS: readonly string[] = [
  "ALTER TABLE check_orders ADD COLUMN outlier TEXT",
];

const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;

/** Orders are told again so often: an object that has lost its alarm or its storage goes on from there. */
const REASSURE_MS = 600_000;

/** Connections that an object may have waiting for an answer. */
const AT_ONCE = 6;

interface Order extends Record<string, SqlStorageValue> {
  service: string;
  sequence: number;
  /** A plan as JSON; `null` ends the checks. */
  body: string | null;
  /** An outlier order as JSON; `null` ends the pooling. */
  outlier: string | null;
  due_at: number;
  attempts: number;
}

/** What a service is to have; `null` for none of it. */
interface Wanted {
  readonly plan: CheckPlan | null;
  readonly outlier: OutlierOrder | null;
}

export class HealthOrders implements Outbox {
  readonly #storage: DurableObjectStorage;
  readonly #env: Env;

  constructor(storage: DurableObjectStorage, env: Env) {
    this.#storage = storage;
    this.#env = env;
  }

  /**
   * Writes the orders that follow from a change to these units, in the
   * transaction of the change.
   */
  update(world: World, keys: Iterable<UnitKey>): void {
    const prefix = serviceKey("");
    const services = [...keys].flatMap((key) => (key.startsWith(prefix) ? [key.slice(prefix.length)] : []));
    for (const service of services) {
      this.#put(service, { plan: checkPlan(world, service), outlier: outlierOrder(world, service) });
    }
  }

  async deliver(): Promise<void> {
    for (let due = this.#due(); due.length > 0; due = this.#due()) {
      await Promise.all(due.map((order) => this.#send(order)));
    }
  }

  nextDue(): Millis | null {
    return this.#storage.sql.exec<{ at: number | null }>("SELECT min(due_at) AS at FROM check_orders").one()
      .at;
  }

  async #send({ service, sequence, body, outlier }: Order): Promise<void> {
    const plan: CheckPlan | null = body === null ? null : JSON.parse(body);
    const order = outlier === null ? { sequence, plan } : { sequence, plan, outlier: JSON.parse(outlier) };
    try {
      await healthOf(this.#env, service).configure(service, order);
      this.#settle(service, sequence);
    } catch (error) {
      console.warn(`registry: the checks of ${service} could not be ordered, will try again`, error);
      this.#postpone(service, sequence);
    }
  }

  /** Writes an order that is another than before. The sequence follows the clock, so that none is used twice. */
  #put(service: string, wanted: Wanted): void {
    const [body, outlier] = [textOf(wanted.plan), textOf(wanted.outlier)];
    const [known] = this.#storage.sql.exec<Order>("SELECT * FROM check_orders WHERE service = ?", service);
    if (body === (known?.body ?? null) && outlier === (known?.outlier ?? null)) return;
    const sequence = Math.max(this.#lastSequence() + 1, Date.now());
    this.#storage.sql.exec("INSERT OR REPLACE INTO facts VALUES ('check_sequence', ?)", String(sequence));
    this.#storage.sql.exec(
      `INSERT OR REPLACE INTO check_orders (service, sequence, body, outlier, due_at, attempts)
       VALUES (?, ?, ?, ?, ?, 0)`,
      service,
      sequence,
      body,
      outlier,
      Date.now(),
    );
  }

  #lastSequence(): number {
    const [row] = this.#storage.sql.exec<{ value: string }>(
      "SELECT value FROM facts WHERE name = 'check_sequence'",
    );
    return Number(row?.value ?? 0);
  }

  #due(): Order[] {
    const query = "SELECT * FROM check_orders WHERE due_at <= ? ORDER BY due_at, service LIMIT ?";
    return [...this.#storage.sql.exec<Order>(query, Date.now(), AT_ONCE)];
  }

  /** The object has it. An order that is newer meanwhile stays due. */
  #settle(service: string, sequence: number): void {
    const { sql } = this.#storage;
    sql.exec(
      "DELETE FROM check_orders WHERE service = ? AND sequence = ? AND body IS NULL AND outlier IS NULL",
      service,
      sequence,
    );
    sql.exec(
      "UPDATE check_orders SET due_at = ?, attempts = 0 WHERE service = ? AND sequence = ?",
      // Spread, so that a large apply does not come back as a herd every ten minutes.
      Date.now() + Math.round(REASSURE_MS * (0.9 + 0.2 * Math.random())),
      service,
      sequence,
    );
  }

  #postpone(service: string, sequence: number): void {
    this.#storage.sql.exec(
      `UPDATE check_orders SET due_at = ?1 + min(?2 * (1 << min(attempts, 10)), ?3), attempts = attempts + 1
       WHERE service = ?4 AND sequence = ?5`,
      Date.now(),
      FIRST_RETRY_MS,
      LAST_RETRY_MS,
      service,
      sequence,
    );
  }
}

function textOf(wanted: CheckPlan | OutlierOrder | null): string | null {
  return wanted === null ? null : JSON.stringify(wanted);
}
