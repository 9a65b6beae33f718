/**
 * Units from the store outside of the registry, for hosts that start while it
 * is out of reach.
 *
 * @module
 */
import type { Env } from "../../durable-objects/env.ts";
import {
  HEAD,
  nameOf,
  parseHead,
  parseUnit,
  sealOf,
  type Seal,
  type StoredHead,
  type StoredUnit,
} from "../../durable-objects/snapshot-entry.ts";
import { references } from "../../shared/compile/compile.ts";
import type { Unit, UnitKey } from "../../shared/engine/snapshot.ts";
import type { Millis } from "../../shared/engine/time.ts";
import { parseDuration } from "../../shared/wire/duration.ts";
import type { SyncAnswer } from "../../shared/wire/registry-rpc.ts";

/** How old the copies may be: a day, in which an outage is noticed and a revoked policy is not forgotten. */
const DEFAULT_MAX_AGE_MS: Millis = 86_400_000;

/** Names that one read of the store takes. */
const AT_ONCE = 100;

/** Units of one answer. What is beyond is asked for again, with the next call that needs it. */
const MAX_UNITS = 1_000;

/** Units that an answer is asked for: names come from clients, and each may be one that nobody has heard of. */
const MAX_WANTED = 200;

/** How long a name that the store lacks is not looked for again. */
const ABSENT_MS: Millis = 10_000;
const MAX_ABSENT = 1_000;

/** The least that the store's caches may be told to keep an entry. */
const CACHE_SECONDS = 30;

export interface SnapshotStore {
  /**
   * The wanted units and those that they refer to, as far as they are there.
   * Rejects when the store as a whole cannot be read or is not to be believed:
   * no head of our signature, or one that is too old.
   */
  read(wanted: readonly UnitKey[]): Promise<SyncAnswer>;
}

/** The store of a deployment; `null` when it has none, or no secret to verify it by. */
export function openStore(env: Env, now: () => Millis): SnapshotStore | null {
  const { SNAPSHOTS, SELVEDGE_SNAPSHOT_MAX_AGE } = env;
  if (SNAPSHOTS === undefined || (env.SELVEDGE_ADMIN_TOKEN_SHA256 ?? "") === "") return null;
  const maxAgeMs = parseDuration(SELVEDGE_SNAPSHOT_MAX_AGE ?? "") ?? DEFAULT_MAX_AGE_MS;
  const absent = new Map<UnitKey, Millis>();
  return {
    async read(wanted) {
      const seal = await sealOf(env);
      if (seal === null) throw new Error("no secret");
      const { version } = await readHead(SNAPSHOTS, seal, now() - maxAgeMs);
      const collected: Collected = { units: [], missing: [], refused: 0, version };
      await collect({ kv: SNAPSHOTS, seal, absent, now }, wanted.slice(0, MAX_WANTED), collected);
      const { refused, ...told } = collected;
      return { ...told, stored: { refused } };
    },
  };
}

interface Reading {
  readonly kv: KVNamespace;
  readonly seal: Seal;
  /** Names that the store lacks, and until when that is believed. */
  readonly absent: Map<UnitKey, Millis>;
  readonly now: () => Millis;
}

interface Collected {
  readonly units: [UnitKey, Unit][];
  readonly missing: UnitKey[];
  refused: number;
  /** The smallest at which one of them changed: at that, all of them are known to have been current. */
  version: number;
}

async function readHead(kv: KVNamespace, seal: Seal, notBefore: Millis): Promise<StoredHead> {
  const text = await kv.get(HEAD, { type: "text", cacheTtl: CACHE_SECONDS });
  const body = text === null ? null : await seal.open(HEAD, text);
  if (body === null) throw new Error(text === null ? "the store is empty" : "the head is not ours");
  const head = parseHead(body);
  if (head.at < notBefore) throw new Error(`the head is of ${new Date(head.at).toISOString()}: too old`);
  return head;
}

/** Reads units and, as they come up, the units that they refer to: whatever a host holds is complete. */
async function collect(reading: Reading, wanted: readonly UnitKey[], into: Collected): Promise<void> {
  const seen = new Set(wanted);
  for (let round = [...wanted]; round.length > 0 && seen.size <= MAX_UNITS;) {
    const found = await readUnits(reading, round, into);
    round = [];
    for (const unit of found) {
      for (const reference of references(unit)) {
        if (!seen.has(reference)) round.push(reference);
        seen.add(reference);
      }
    }
  }
}

async function readUnits(reading: Reading, keys: readonly UnitKey[], into: Collected): Promise<Unit[]> {
  const found: Unit[] = [];
  const sought = keys.filter((key) => (reading.absent.get(key) ?? 0) <= reading.now());
  for (let at = 0; at < sought.length; at += AT_ONCE) {
    for (const [key, entry] of await readBatch(reading, sought.slice(at, at + AT_ONCE), into)) {
      into.version = Math.min(into.version, entry.version);
      if (entry.unit === null) into.missing.push(key);
      else {
        into.units.push([key, entry.unit]);
        found.push(entry.unit);
      }
    }
  }
  return found;
}

async function readBatch(
  { kv, seal, absent, now }: Reading,
  keys: readonly UnitKey[],
  into: Collected,
): Promise<(readonly [UnitKey, StoredUnit])[]> {
  const names = await Promise.all(keys.map(nameOf));
  const texts = await kv.get(names, { type: "text", cacheTtl: CACHE_SECONDS });
  const read = keys.map(async (key, at) => {
    const text = texts.get(names[at] ?? "") ?? null;
    const body = text === null ? null : await seal.open(key, text);
    if (body !== null) return [[key, parseUnit(body)] as const];
    if (text === null) note(absent, key, now() + ABSENT_MS);
    else into.refused += 1;
    return [];
  });
  return (await Promise.all(read)).flat();
}

function note(absent: Map<UnitKey, Millis>, key: UnitKey, until: Millis): void {
  absent.delete(key);
  absent.set(key, until);
  for (const oldest of absent.keys()) {
    if (absent.size <= MAX_ABSENT) break;
    absent.delete(oldest);
  }
}
