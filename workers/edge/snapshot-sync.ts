/**
 * Asks the registry, and the store outside of it when the registry does not
 * answer a host that has nothing to serve by.
 *
 * @module
 */
import { registryOf } from "../../durable-objects/env.ts";
import type { Env } from "../../durable-objects/env.ts";
import type { UnitKey } from "../../shared/engine/snapshot.ts";
import type { Millis } from "../../shared/engine/time.ts";
import type { SyncAnswer, SyncRequest } from "../../shared/wire/registry-rpc.ts";
import { startTimer, writeLine } from "../runtime.ts";
import { openStore, type SnapshotStore } from "./snapshot-store.ts";

/** How long the registry may take before its store answers a host that lacks units. */
const PATIENCE_MS: Millis = 1_000;
/** The same while it has just failed: a cold host needs several answers, one after another. */
const SHORT_PATIENCE_MS: Millis = 100;
const SHORT_FOR_MS: Millis = 2_000;

/** What an isolate remembers between questions. */
interface Recall {
  readonly env: Env;
  readonly store: SnapshotStore | null;
  impatientUntil: Millis;
}

let recall: Recall | null = null;

/**
 * The registry's answer. Where units are wanted and it is out of reach, what
 * its store has of them; a host that only asks for changes has what it needs.
 * Rejects when neither answers.
 */
export function sync(env: Env, request: SyncRequest): Promise<SyncAnswer> {
  const asking = registryOf(env).sync(request);
  if (recall?.env !== env) recall = { env, store: openStore(env, Date.now), impatientUntil: 0 };
  return recall.store === null || request.wanted.length === 0
    ? asking
    : askOrRead(asking, request, { recall, store: recall.store });
}

async function askOrRead(
  asking: Promise<SyncAnswer>,
  request: SyncRequest,
  { recall, store }: { readonly recall: Recall; readonly store: SnapshotStore },
): Promise<SyncAnswer> {
  const patienceMs = Date.now() < recall.impatientUntil ? SHORT_PATIENCE_MS : PATIENCE_MS;
  const first = await firstOf(asking, patienceMs);
  if (first.kind === "answer") return first.answer;
  recall.impatientUntil = Date.now() + SHORT_FOR_MS;
  const stored = await read(store, request.wanted);
  if (stored === null) return asking;
  // A registry that is slow may yet have what its store lacks; one that failed does not answer any more.
  return first.kind === "failed" || hasAll(stored, request.wanted) ? stored : asking;
}

type First =
  | { readonly kind: "answer"; readonly answer: SyncAnswer }
  | { readonly kind: "failed" }
  | { readonly kind: "slow" };

/** What happens first: an answer, a failure, or that `ms` are over. */
async function firstOf(asking: Promise<SyncAnswer>, ms: Millis): Promise<First> {
  const slow = Promise.withResolvers<First>();
  const cancel = startTimer(ms, () => slow.resolve({ kind: "slow" }));
  const settled = asking.then(
    (answer): First => ({ kind: "answer", answer }),
    (): First => ({ kind: "failed" }),
  );
  const first = await Promise.race([settled, slow.promise]);
  cancel();
  return first;
}

/** What the store has; `null` when it cannot be read or believed. */
async function read(store: SnapshotStore, wanted: readonly UnitKey[]): Promise<SyncAnswer | null> {
  try {
    const answer = await store.read(wanted);
    const { version, units, stored } = answer;
    writeLine({ event: "snapshot.stored", version, units: units.length, refused: stored?.refused });
    return answer;
  } catch (error) {
    writeLine({ event: "snapshot.unstored", error: String(error).slice(0, 256) });
    return null;
  }
}

function hasAll({ units, missing }: SyncAnswer, wanted: readonly UnitKey[]): boolean {
  const known = new Set([...units.map(([key]) => key), ...missing]);
  return wanted.every((key) => known.has(key));
}
