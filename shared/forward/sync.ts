/**
 * Keeps the view fresh: fetches units on first use, pulls changes while there
 * is traffic, and serves last-good when the registry is out of reach.
 *
 * @module
 */
import type { CompilePattern } from "../engine/route.ts";
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { SyncAnswer } from "../wire/rpc.ts";
import { settlesWithin } from "./patience.ts";
import type { Mesh } from "./state.ts";
import { BLANK, knows, swapIn } from "./view.ts";
import type { Swap, View } from "./view.ts";

/** Between two syncs of an isolate, ± 20 % so that isolates do not fall into step. */
export const SYNC_EVERY_MS = 500;
/** A request that finds an older snapshot waits for a sync, as long as the registry answers. */
export const MAX_STALE_MS = 1_000;
/** How long such a request waits before last-good serves it. */
export const STALE_WAIT_MS = 1_000;
/** How long a request waits for units that the isolate never had. A registry that starts cold needs seconds. */
export const COLD_WAIT_MS = 5_000;
/** A sync that takes longer is given up for a new one: the request that it belonged to may be gone. */
const FLIGHT_LIMIT_MS = 1_000;
/** Names that wait for the next sync. Above it, names wait for the one after. */
const MAX_PENDING = 1_000;

/** One sync on its way. */
interface Flight {
  readonly startedAt: Millis;
  /** Never rejects. */
  readonly done: Promise<void>;
}

export interface Snapshot {
  view: View;
  /** When the last answer was asked for. */
  syncedAt: Millis;
  nextSyncAt: Millis;
  /** Not before then may a name that the isolate never heard cause a sync: set after names that do not exist. */
  nextColdAt: Millis;
  /** Not before then may a token that fails cause a sync. */
  nextLookAt: Millis;
  /** Whether the last sync brought an answer. While it did not, requests do not wait for the next. */
  isAnswering: boolean;
  flight: Flight | null;
  /** Compiles regular expressions, once a unit had some. */
  compilePattern: CompilePattern | null;
  readonly pending: Set<UnitKey>;
}

/** Nothing loaded, nothing asked. */
export function createSnapshot(): Snapshot {
  return {
    view: BLANK,
    syncedAt: Number.NEGATIVE_INFINITY,
    nextSyncAt: Number.NEGATIVE_INFINITY,
    nextColdAt: Number.NEGATIVE_INFINITY,
    nextLookAt: Number.NEGATIVE_INFINITY,
    isAnswering: true,
    flight: null,
    compilePattern: null,
    pending: new Set(),
  };
}

/**
 * Makes the view fit for a request that needs `keys`. `null`: it is, go on;
 * a sync may have been started in the background. Otherwise resolves when the
 * units are there, or when waiting longer is of no use: the caller looks at
 * the view again. Never rejects.
 */
export function prepare(mesh: Mesh, keys: readonly UnitKey[]): Promise<void> | null {
  const { snapshot } = mesh.state;
  if (!keys.every((key) => knows(snapshot.view, key))) return fetchUnits(mesh, keys);
  const now = mesh.ports.now();
  if (now - snapshot.syncedAt > MAX_STALE_MS) return catchUp(mesh, now);
  if (now >= snapshot.nextSyncAt) depart(mesh, now);
  return null;
}

/** Asks for changes now and waits for the answer, at most `STALE_WAIT_MS`. */
async function refresh(mesh: Mesh): Promise<void> {
  const { snapshot, meter } = mesh.state;
  const flight = depart(mesh, mesh.ports.now());
  if (await settlesWithin(mesh.ports, flight.done, STALE_WAIT_MS)) return;
  // Whoever comes next shall not wait as long: the flight says otherwise when it lands after all.
  snapshot.isAnswering = false;
  meter.host.staleCalls += 1;
}

/**
 * Syncs because something in the view seems to be behind the world, at most
 * once per `SYNC_EVERY_MS`: strangers can bring that about. The caller
 * looks at the view again.
 */
export async function lookAgain(mesh: Mesh): Promise<void> {
  const { snapshot } = mesh.state;
  const now = mesh.ports.now();
  if (now < snapshot.nextLookAt) return;
  snapshot.nextLookAt = now + SYNC_EVERY_MS;
  await refresh(mesh);
}

/** The snapshot is too old to decide by without asking. */
function catchUp(mesh: Mesh, now: Millis): Promise<void> | null {
  const { snapshot, meter } = mesh.state;
  if (snapshot.isAnswering) return refresh(mesh);
  if (now >= snapshot.nextSyncAt) depart(mesh, now);
  meter.host.staleCalls += 1;
  return null;
}

async function fetchUnits(mesh: Mesh, keys: readonly UnitKey[]): Promise<void> {
  const { snapshot } = mesh.state;
  const giveUpAt = mesh.ports.now() + COLD_WAIT_MS;
  for (let now = mesh.ports.now(); now < giveUpAt; now = mesh.ports.now()) {
    const unknown = keys.filter((key) => !knows(snapshot.view, key));
    if (unknown.length === 0) return;
    if (!snapshot.isAnswering && now < snapshot.nextSyncAt) return;
    for (const key of unknown) if (snapshot.pending.size < MAX_PENDING) snapshot.pending.add(key);
    if (now < snapshot.nextColdAt) await mesh.ports.sleep(snapshot.nextColdAt - now);
    else await settlesWithin(mesh.ports, depart(mesh, now).done, Math.min(FLIGHT_LIMIT_MS, giveUpAt - now));
  }
}

/**
 * Starts a sync, or joins the one on its way. A flight belongs to the request
 * that started it and dies with it: one that takes too long is replaced.
 */
function depart(mesh: Mesh, now: Millis): Flight {
  const { snapshot } = mesh.state;
  if (snapshot.flight !== null && now - snapshot.flight.startedAt < FLIGHT_LIMIT_MS) return snapshot.flight;
  snapshot.nextSyncAt = now + SYNC_EVERY_MS * (0.8 + 0.4 * mesh.ports.random());
  const wanted = [...snapshot.pending];
  snapshot.pending.clear();
  const flight: Flight = {
    startedAt: now,
    done: fly(mesh, wanted, now).then(() => {
      if (snapshot.flight === flight) snapshot.flight = null;
    }),
  };
  snapshot.flight = flight;
  mesh.ports.defer(flight.done);
  return flight;
}

async function fly(mesh: Mesh, wanted: readonly UnitKey[], startedAt: Millis): Promise<void> {
  const { snapshot, meter } = mesh.state;
  const base = snapshot.view;
  try {
    const request = { version: base.version, held: [...base.units.keys()], wanted };
    const answer = await mesh.ports.control.sync(request);
    meter.host.syncs += 1;
    snapshot.isAnswering = true;
    await land(mesh, base, answer, startedAt);
    if (wanted.some((key) => snapshot.view.missing.has(key))) snapshot.nextColdAt = startedAt + SYNC_EVERY_MS;
  } catch (error) {
    // Fail static: what is known keeps serving, and the next sync is due in half a second.
    meter.host.failedSyncs += 1;
    snapshot.isAnswering = false;
    mesh.ports.log({ event: "sync.failed", error: String(error).slice(0, 256) });
  }
}

async function land(mesh: Mesh, base: View, answer: SyncAnswer, startedAt: Millis): Promise<void> {
  const { snapshot, meter } = mesh.state;
  // Asked before another answer came in: it does not tell of changes to what that one brought.
  if (snapshot.view !== base && snapshot.view.version !== answer.version) return;
  const swap = link(mesh, answer);
  if (swap === "patterns-needed") {
    snapshot.compilePattern = await mesh.ports.patterns();
    return land(mesh, base, answer, startedAt);
  }
  if (swap.kind === "refused") {
    meter.host.refusedSnapshots += 1;
    mesh.ports.log({ event: "snapshot.refused", why: swap.why.slice(0, 256) });
    return;
  }
  snapshot.view = swap.view;
  snapshot.syncedAt = Math.max(snapshot.syncedAt, startedAt);
}

/** Links an answer. Whether it has regular expressions is found out by the way: most have none. */
function link(mesh: Mesh, answer: SyncAnswer): Swap | "patterns-needed" {
  const { snapshot } = mesh.state;
  const seen = { isMissing: false };
  const missing: CompilePattern = () => {
    seen.isMissing = true;
    return () => false;
  };
  const { random } = mesh.ports;
  const swap = swapIn(snapshot.view, answer, { random, compilePattern: snapshot.compilePattern ?? missing });
  return seen.isMissing ? "patterns-needed" : swap;
}
