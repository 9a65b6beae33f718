/**
 * Keeps the view fresh: fetches units on first use, watches for changes while
 * there is traffic, and serves last-good when the registry is out of reach.
 *
 * A *watch* is a question that the registry answers when something of the view
 * has changed, so that a change arrives within a trip and quiet times cost
 * three questions a minute. What a request wants now is *fetched* beside it.
 *
 * @module
 */
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { fetchNow, lose, watchOn } from "./flights.ts";
import { COLD_WAIT_MS, FLIGHT_LIMIT_MS, LOOK_EVERY_MS, MAX_STALE_MS, STALE_WAIT_MS } from "./freshness.ts";
import { settlesWithin } from "./patience.ts";
import type { Mesh } from "./state.ts";
import { knows } from "./view.ts";

/** Names that wait for the next fetch. Above it, names wait for the one after. */
const MAX_PENDING = 250;

/**
 * Makes the view fit for a request that needs `keys`. `null`: it is, go on;
 * a question may have been asked in the background. Otherwise resolves when
 * the units are there, or when waiting longer is of no use: the caller looks
 * at the view again. Never rejects.
 */
export function prepare(mesh: Mesh, keys: readonly UnitKey[]): Promise<void> | null {
  const { snapshot } = mesh.state;
  if (!keys.every((key) => knows(snapshot.view, key))) return fetchUnits(mesh, keys);
  const now = mesh.ports.now();
  if (now - snapshot.currentAt > MAX_STALE_MS) return catchUp(mesh, now);
  if (now >= snapshot.nextSyncAt) ask(mesh, now);
  return null;
}

/**
 * Fetches because something in the view seems to be behind the world, at most
 * once per `LOOK_EVERY_MS`: strangers can bring that about. The caller
 * looks at the view again.
 */
export async function lookAgain(mesh: Mesh): Promise<void> {
  const { snapshot } = mesh.state;
  const now = mesh.ports.now();
  if (now < snapshot.nextLookAt) {
    // Somebody else has just looked: what that brings is for all who came meanwhile.
    if (snapshot.fetch !== null) await settlesWithin(mesh.ports, snapshot.fetch.done, STALE_WAIT_MS);
    return;
  }
  snapshot.nextLookAt = now + LOOK_EVERY_MS;
  await refresh(mesh);
}

/** Asks for changes now and waits for the answer, at most `STALE_WAIT_MS`. */
async function refresh(mesh: Mesh): Promise<void> {
  const { snapshot, meter } = mesh.state;
  const flight = fetchNow(mesh, mesh.ports.now());
  if (await settlesWithin(mesh.ports, flight.done, STALE_WAIT_MS)) return;
  // Whoever comes next shall not wait as long: the flight says otherwise when it lands in time.
  snapshot.isAnswering = false;
  meter.host.staleCalls += 1;
}

/** The view is too old to decide by without asking. */
function catchUp(mesh: Mesh, now: Millis): Promise<void> | null {
  const { snapshot, meter } = mesh.state;
  // One that was alive would have kept the view current.
  snapshot.watch = null;
  if (snapshot.isAnswering) return refresh(mesh);
  if (now >= snapshot.nextSyncAt) fetchNow(mesh, now);
  meter.host.staleCalls += 1;
  return null;
}

/** Asks in the background: by a watch, or by a fetch where it must first be known that the registry answers. */
function ask(mesh: Mesh, now: Millis): void {
  const { snapshot } = mesh.state;
  if (snapshot.watch !== null && now >= snapshot.watch.endsAt) lose(mesh);
  const isCertain = snapshot.failures === 0 && snapshot.watch === null && snapshot.fetch === null;
  if (isCertain) mesh.ports.defer(watchOn(mesh, now));
  else fetchNow(mesh, now);
}

async function fetchUnits(mesh: Mesh, keys: readonly UnitKey[]): Promise<void> {
  const { snapshot } = mesh.state;
  const giveUpAt = mesh.ports.now() + COLD_WAIT_MS;
  for (let now = mesh.ports.now(); now < giveUpAt; now = mesh.ports.now()) {
    const unknown = keys.filter((key) => !knows(snapshot.view, key));
    if (unknown.length === 0) return;
    if (!snapshot.isAnswering && now < snapshot.nextColdAt) return;
    for (const key of unknown) if (snapshot.pending.size < MAX_PENDING) snapshot.pending.add(key);
    if (now < snapshot.nextColdAt) await mesh.ports.sleep(snapshot.nextColdAt - now);
    else await settlesWithin(mesh.ports, fetchNow(mesh, now).done, Math.min(FLIGHT_LIMIT_MS, giveUpAt - now));
  }
}
