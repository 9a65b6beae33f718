/**
 * Where a host on the platform is.
 *
 * @module
 */
import { parseLocality } from "../shared/engine/locality.ts";
import type { Locality } from "../shared/engine/locality.ts";

/** What an isolate knows of its own place. Kept as long as the isolate lives. */
export interface Whereabouts {
  place: Locality | null;
  /** Requests that named the place, minus those that named another since it was taken up. */
  lead: number;
  /** Requests that have been looked at. */
  seen: number;
}

/**
 * After so many the place stays as it is. `cf.colo` is the data centre, but
 * `cf.continent` is the client's: so the first requests vote, and one client
 * that is far from home does not decide for all.
 */
const VOTERS = 15;

/** An isolate that has seen no request yet. */
export function createWhereabouts(): Whereabouts {
  return { place: null, lead: 0, seen: 0 };
}

/** Learns from a request where the isolate is: the place that most of the first requests name (Boyer and Moore, 1981). */
export function learnPlace(whereabouts: Whereabouts, request: Request | null): void {
  if (whereabouts.seen === VOTERS || request === null) return;
  const named = placeIn(request.cf);
  if (named === null) return;
  whereabouts.seen += 1;
  const { place, lead } = whereabouts;
  const isSame = place !== null && place.region === named.region && place.zone === named.zone;
  if (isSame) whereabouts.lead += 1;
  else if (lead > 0) whereabouts.lead -= 1;
  else Object.assign(whereabouts, { place: named, lead: 1 });
}

/** The continent and data centre of a request, such as `EU/FRA`; `null` when the platform does not tell both. */
function placeIn(cf: unknown): Locality | null {
  if (typeof cf !== "object" || cf === null || !("continent" in cf) || !("colo" in cf)) return null;
  const { continent, colo } = cf;
  if (typeof continent !== "string" || typeof colo !== "string") return null;
  return continent === "" || colo === "" ? null : { region: continent, zone: colo };
}

/** Reads a place that somebody configured, `region` or `region/zone`; `null` when it is none. */
export function readPlace(text: string | undefined): Locality | null {
  return text !== undefined && /^[^/\s]+(\/[^/\s]+)?$/.test(text) ? parseLocality(text) : null;
}
