/**
 * Questions to the registry: fetches, which it answers at once, and watches,
 * which it answers when there is news.
 *
 * A flight belongs to the request that started it and dies with it, so none is
 * ever awaited by another request: a fetch that takes too long is replaced, and
 * a watch counts only as long as its own request lives to say so.
 *
 * @module
 */
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { SyncAnswer } from "../wire/registry-rpc.ts";
import { FLIGHT_LIMIT_MS, LOOK_EVERY_MS, STALE_WAIT_MS } from "./freshness.ts";
import type { Flight, Snapshot, Watch } from "./freshness.ts";
import { land, landStored } from "./landing.ts";
import type { Mesh } from "./state.ts";
import { covers, knows } from "./view.ts";
import type { View } from "./view.ts";

/**
 * How long the registry may hold its answer to a watch, ± 10 % so that isolates do not fall into step. The
 * platform ends what a request left behind 30 s after its response.
 */
export const WATCH_MS = 20_000;
/** An answer that is later than that by so much is not expected any more. */
const WATCH_GRACE_MS = 2_000;
/** How often a watch shows that it is alive: a quarter of the age at which requests wait. */
const BEAT_EVERY_MS = 250;
/**
 * From an answer to the next watch, ± 20 %. A cold isolate fetches several times in a row and then watches all of it
 * at once; a registry of the release before this one, which does not hold its answers, is asked at this pace.
 */
const REST_MS = 650;
/** The same after news: soon, so that the next news does not wait, and spread, since all that watch are told at once. */
const NEWS_REST_MS = { least: 100, spread: 300 };
/** The longest time to the next question after failures; drawn between 0 and it (full jitter), doubled each time. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 2_000;

/** Starts a fetch of what is wanted and of all changes, or joins the one on its way. */
export function fetchNow(mesh: Mesh, now: Millis): Flight {
  const { snapshot } = mesh.state;
  if (snapshot.fetch !== null && now - snapshot.fetch.startedAt < FLIGHT_LIMIT_MS) return snapshot.fetch;
  if (snapshot.fetch !== null) fail(mesh, `no answer within ${FLIGHT_LIMIT_MS} ms`);
  snapshot.nextSyncAt = now + around(mesh, REST_MS, 0.2);
  const wanted = [...snapshot.pending];
  snapshot.pending.clear();
  const flight: Flight = {
    startedAt: now,
    done: bring(mesh, wanted, now).then(() => {
      if (snapshot.fetch === flight) snapshot.fetch = null;
    }),
  };
  snapshot.fetch = flight;
  // The request that fetched goes on to watch: where traffic is sparse, there is no other to do it.
  mesh.ports.defer(flight.done.then(() => watchAfterRest(mesh)));
  return flight;
}

/** Watches until there is news, or for about `WATCH_MS`. While it does, the view is current. Never rejects. */
export async function watchOn(mesh: Mesh, now: Millis): Promise<void> {
  const { snapshot } = mesh.state;
  const base = snapshot.view;
  const waitMs = Math.round(around(mesh, WATCH_MS, 0.1));
  const watch: Watch = { base, endsAt: now + waitMs + WATCH_GRACE_MS };
  snapshot.watch = watch;
  snapshot.nextSyncAt = watch.endsAt;
  // Ends with the watch, at its next beat.
  void keepCurrent(mesh, watch);
  const answer = await question(mesh, { base, wanted: [], waitMs });
  const isOpen = snapshot.watch === watch;
  if (isOpen) snapshot.watch = null;
  if (answer === null) return;
  const isTaken = await land(mesh, base, answer, isOpen ? mesh.ports.now() : now);
  if (isOpen) rest(mesh, now, isTaken && isNews(answer));
}

/** Gives up a watch that got no answer in all its time. The registry is hardly there: requests do not wait to see. */
export function lose(mesh: Mesh): void {
  const { snapshot } = mesh.state;
  snapshot.watch = null;
  snapshot.isAnswering = false;
  fail(mesh, "no answer to a watch");
}

async function bring(mesh: Mesh, wanted: readonly UnitKey[], startedAt: Millis): Promise<void> {
  const { snapshot } = mesh.state;
  const base = snapshot.view;
  const answer = await question(mesh, { base, wanted });
  const arrivedAt = mesh.ports.now();
  if (answer === null) {
    snapshot.nextColdAt = snapshot.nextSyncAt;
    return;
  }
  if (answer.stored !== undefined) {
    await landStored(mesh, answer, answer.stored);
    if (!wanted.every((key) => knows(snapshot.view, key))) snapshot.nextColdAt = arrivedAt + LOOK_EVERY_MS;
    return;
  }
  // One that is late is as good as any other, but nobody shall wait for the next.
  snapshot.isAnswering = arrivedAt - startedAt <= STALE_WAIT_MS;
  await land(mesh, base, answer, startedAt);
  if (wanted.some((key) => snapshot.view.missing.has(key))) snapshot.nextColdAt = startedAt + LOOK_EVERY_MS;
  // What has come in is not watched yet: the next watch takes all of it.
  if (snapshot.watch !== null && !covers(snapshot.watch.base, snapshot.view)) snapshot.watch = null;
  snapshot.nextSyncAt = snapshot.watch?.endsAt ?? startedAt + around(mesh, REST_MS, 0.2);
}

interface Question {
  readonly base: View;
  readonly wanted: readonly UnitKey[];
  readonly waitMs?: Millis;
}

/** Asks the registry. `null`: no answer came. Units that do not exist are held like others, to be told when they do. */
async function question(mesh: Mesh, { base, wanted, waitMs }: Question): Promise<SyncAnswer | null> {
  const { snapshot } = mesh.state;
  const held = [...base.units.keys(), ...base.missing];
  const request = { version: base.version, held, wanted };
  try {
    const answer = await mesh.ports.control.sync(waitMs === undefined ? request : { ...request, waitMs });
    snapshot.isAnswering = answer.stored === undefined;
    if (snapshot.isAnswering) succeed(mesh);
    else fail(mesh, "the registry did not answer; its store did");
    return answer;
  } catch (error) {
    fail(mesh, error);
    // A watch that breaks off says nothing of whether the registry answers: objects restart.
    if (waitMs === undefined) snapshot.isAnswering = false;
    return null;
  }
}

function succeed({ state: { snapshot, meter } }: Mesh): void {
  meter.host.syncs += 1;
  snapshot.failures = 0;
}

/** Fail static: what is known keeps serving, and the next question is due soon, each isolate in its own time. */
function fail(mesh: Mesh, error: unknown): void {
  const { snapshot, meter } = mesh.state;
  meter.host.failedSyncs += 1;
  snapshot.failures += 1;
  const longest = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (snapshot.failures - 1));
  snapshot.nextSyncAt = mesh.ports.now() + longest * mesh.ports.random();
  mesh.ports.log({ event: "sync.failed", error: String(error).slice(0, 256) });
}

/** Says so while a watch is alive. Ends with it; a request that was canceled says nothing more. */
async function keepCurrent(mesh: Mesh, watch: Watch): Promise<void> {
  const { snapshot } = mesh.state;
  for (let now = mesh.ports.now(); snapshot.watch === watch && now < watch.endsAt; now = mesh.ports.now()) {
    snapshot.currentAt = Math.max(snapshot.currentAt, now);
    await mesh.ports.sleep(BEAT_EVERY_MS);
  }
}

/** How long it is to the next watch, by what this one has brought. */
function rest(mesh: Mesh, startedAt: Millis, hasBroughtNews: boolean): void {
  const { snapshot } = mesh.state;
  const now = mesh.ports.now();
  const isHeld = now - startedAt > WATCH_MS / 2;
  if (hasBroughtNews)
    snapshot.nextSyncAt = now + NEWS_REST_MS.least + NEWS_REST_MS.spread * mesh.ports.random();
  else snapshot.nextSyncAt = isHeld ? now : now + around(mesh, REST_MS, 0.2);
}

function isNews({ units, missing }: SyncAnswer): boolean {
  return units.length > 0 || missing.length > 0;
}

async function watchAfterRest(mesh: Mesh): Promise<void> {
  const { snapshot } = mesh.state;
  if (!isWatchWanted(snapshot)) return;
  await mesh.ports.sleep(Math.max(0, snapshot.nextSyncAt - mesh.ports.now()));
  const now = mesh.ports.now();
  if (isWatchWanted(snapshot) && now >= snapshot.nextSyncAt) await watchOn(mesh, now);
}

function isWatchWanted(snapshot: Snapshot): boolean {
  return snapshot.watch === null && snapshot.fetch === null && snapshot.failures === 0;
}

/** `ms`, more or less by a share of it. */
function around(mesh: Mesh, ms: Millis, share: number): Millis {
  return ms * (1 - share + 2 * share * mesh.ports.random());
}
