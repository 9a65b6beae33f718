/**
 * Keeps a copy of every compiled unit in the store outside of the registry,
 * for hosts that start while the registry is out of reach. The registry alone
 * writes it, a few entries at a time and each as often as it changes, so that
 * no number of hosts makes it more.
 *
 * @module
 */
import type { Millis } from "../shared/engine/time.ts";
import type { StoreStatus } from "../shared/wire/registry-rpc.ts";
import type { Env } from "./env.ts";
import type { Outbox } from "./errands.ts";
import { HEAD, nameOf, sealOf, unitBody, type Seal } from "./snapshot-entry.ts";
import { FIRST, type Cursor, type StorableUnit, type UnitStore } from "./unit-store.ts";

/** Entries of one run. With the head, an invocation of the free plan may do no more (50 subrequests). */
const BATCH = 40;

/** Connections that an object may have waiting for an answer. */
const AT_ONCE = 6;

/** From one run to the next while units change: the store takes one write a second to a key. */
const EVERY_MS: Millis = 2_000;

/** How often the head is written while nothing changes: it says how old the copy may be. */
const HEAD_EVERY_MS: Millis = 3_600_000;

const FIRST_RETRY_MS: Millis = 2_000;
const LAST_RETRY_MS: Millis = 60_000;

/** How long the store remembers that a unit has gone: longer than it may be old. */
const TOMBSTONE_SECONDS = 30 * 86_400;

interface State {
  /** What is stored: all units up to here. */
  readonly cursor: Cursor;
  /** Of the seal that they were stored under. */
  readonly fingerprint: string;
  readonly dueAt: Millis;
  /** Runs in a row that failed. */
  readonly failures: number;
  /** When the head was written; 0 for never. */
  readonly headAt: Millis;
}

const START: State = { cursor: FIRST, fingerprint: "", dueAt: 0, failures: 0, headAt: 0 };

export class SnapshotOutbox implements Outbox {
  readonly #storage: DurableObjectStorage;
  readonly #env: Env;
  readonly #units: UnitStore;

  constructor(storage: DurableObjectStorage, env: Env, units: UnitStore) {
    this.#storage = storage;
    this.#env = env;
    this.#units = units;
  }

  /** Takes note that units have changed, in the transaction of the change. */
  update(): void {
    const state = this.#load();
    const dueAt = Date.now() + EVERY_MS;
    if (this.#isOn() && state.dueAt > dueAt) this.#save({ ...state, dueAt });
  }

  nextDue(): Millis | null {
    return this.#isOn() ? this.#load().dueAt : null;
  }

  async deliver(): Promise<void> {
    const { SNAPSHOTS } = this.#env;
    const seal = await sealOf(this.#env);
    if (SNAPSHOTS === undefined || seal === null || this.#load().dueAt > Date.now()) return;
    try {
      await this.#run(SNAPSHOTS, seal);
    } catch (error) {
      console.warn("registry: units could not be stored outside of it, will try again", error);
      const state = this.#load();
      const delay = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** state.failures);
      this.#save({ ...state, failures: state.failures + 1, dueAt: Date.now() + delay });
    }
  }

  /** The version up to which all is stored, which bounds what may be forgotten; everything where nothing is stored at all. */
  settled(): number {
    return this.#isOn() ? this.#storedVersion() : Number.POSITIVE_INFINITY;
  }

  status(): StoreStatus {
    if (this.#env.SNAPSHOTS === undefined) return { kind: "off", why: "no-namespace" };
    if (!this.#isOn()) return { kind: "off", why: "no-secret" };
    const { headAt, failures } = this.#load();
    return { kind: "on", version: this.#storedVersion(), checkedAt: headAt, failures };
  }

  async #run(store: KVNamespace, seal: Seal): Promise<void> {
    const { fingerprint } = seal;
    // A new secret: what is stored is not believed any more.
    if (this.#load().fingerprint !== fingerprint) this.#save({ ...this.#load(), cursor: FIRST, fingerprint });
    const batch = this.#units.after(this.#load().cursor, BATCH);
    for (let at = 0; at < batch.length; at += AT_ONCE) {
      await Promise.all(batch.slice(at, at + AT_ONCE).map((unit) => put(store, seal, unit)));
    }
    const last = batch.at(-1);
    if (last !== undefined) this.#save({ ...this.#load(), cursor: { version: last.version, key: last.key } });
    const now = Date.now();
    if (batch.length === BATCH) this.#save({ ...this.#load(), failures: 0, dueAt: now });
    else await this.#putHead(store, seal, now);
  }

  async #putHead(store: KVNamespace, seal: Seal, at: Millis): Promise<void> {
    const version = this.#storedVersion();
    await store.put(HEAD, await seal.close(HEAD, JSON.stringify({ version, at })));
    const isMore = this.#units.after(this.#load().cursor, 1).length > 0;
    const dueAt = Date.now() + (isMore ? EVERY_MS : HEAD_EVERY_MS);
    this.#save({ ...this.#load(), failures: 0, headAt: at, dueAt });
  }

  /** A unit that is not stored yet was changed by the version after. */
  #storedVersion(): number {
    const [next] = this.#units.after(this.#load().cursor, 1);
    return next === undefined ? this.#units.version() : next.version - 1;
  }

  #isOn(): boolean {
    return this.#env.SNAPSHOTS !== undefined && (this.#env.SELVEDGE_ADMIN_TOKEN_SHA256 ?? "") !== "";
  }

  #load(): State {
    const rows = this.#storage.sql.exec<{ value: string }>(
      "SELECT value FROM facts WHERE name = 'snapshot_outbox'",
    );
    const [row] = [...rows];
    return row === undefined ? START : parseState(row.value);
  }

  #save(state: State): void {
    this.#storage.sql.exec(
      "INSERT OR REPLACE INTO facts VALUES ('snapshot_outbox', ?)",
      JSON.stringify(state),
    );
  }
}

async function put(store: KVNamespace, seal: Seal, { key, version, body }: StorableUnit): Promise<void> {
  const text = await seal.close(key, unitBody(version, body));
  const options = body === null ? { expirationTtl: TOMBSTONE_SECONDS } : {};
  await store.put(await nameOf(key), text, options);
}

/** What is read back is what this outbox has written. */
function parseState(body: string): State {
  return JSON.parse(body);
}
