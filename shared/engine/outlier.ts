/**
 * Outlier detection: which endpoints fail so much more than they should that
 * calls are kept from them for a while. Envoy's detectors.
 *
 * @module
 */
import { count, merge, noCounts } from "./outlier-counts.ts";
import type { CallEnd, Counting, InARow, OutcomeCounts, Splitting } from "./outlier-counts.ts";
import { outliers, rate, viewsOf } from "./outlier-rates.ts";
import type { RatePolicy } from "./outlier-rates.ts";
import type { Millis } from "./time.ts";

export interface OutlierPolicy extends Splitting, RatePolicy {
  /** From one look at success rates to the next. Envoy: 10 s. */
  readonly intervalMs: Millis;
  /** An ejection lasts this long times the ejections so far. Envoy: 30 s. */
  readonly baseEjectionMs: Millis;
  /** The longest ejection. Envoy: 300 s, or the base if that is longer. */
  readonly maxEjectionMs: Millis;
  /** The share of endpoints that may be ejected at once, 0..1; one always may. Envoy: 0.1. */
  readonly maxEjectedRatio: number;
  /** 5xx in a row that eject; failures without an answer count as such unless they are split. Envoy: 5. `null`: off. */
  readonly consecutive5xx: number | null;
  /** 502, 503 and 504 in a row. `null`: off, as in Envoy. */
  readonly consecutiveGatewayErrors: number | null;
  /** Failures without an answer in a row; only where they are split. Envoy: 5. `null`: off. */
  readonly consecutiveLocalFailures: number | null;
}

/** An endpoint that is kept out of use. */
export interface Ejection {
  readonly endpoint: string;
  /** Milliseconds since the epoch. */
  readonly until: Millis;
}

/** What is known of one endpoint: its calls in this interval, and its ejections. */
export interface Track {
  counting: Counting;
  /** What an ejection is multiplied by. */
  ejections: number;
  /** Of the newest ejection; 0 before the first. */
  ejectedAt: Millis;
  ejectedUntil: Millis;
}

/**
 * The endpoints of one service as one observer sees them. Owned and kept by
 * the observer, changed by the functions below. No timer: an interval ends
 * with the first call after it.
 */
export interface Tracker {
  /** By endpoint id. */
  readonly tracks: Map<string, Track>;
  /** All observers with one policy end their intervals at the same time; 0 before the first call. */
  intervalEndsAt: Millis;
  /** The end of the ejection that ends last; before it `isOut` need not be asked. */
  outUntil: Millis;
}

/** What an observer's decisions go by, besides what it has counted. */
export interface Scene {
  readonly now: Millis;
  /** All endpoints, of which only a share may be out; those that somebody else keeps out count. */
  readonly endpoints: readonly { readonly id: string; readonly ejectedUntil?: Millis }[];
  /** Whether evidence against an endpoint is believed. Absent: always, as what one has seen oneself. */
  readonly believes?: (endpoint: string, evidence: "in a row" | "rate") => boolean;
}

const NONE: readonly never[] = [];

/** An observer that has seen nothing. */
export function createTracker(): Tracker {
  return { tracks: new Map(), intervalEndsAt: 0, outUntil: 0 };
}

/** Whether an endpoint is out. An ejection from a clock that has stepped back since is over. */
export function isOut({ tracks, outUntil }: Tracker, endpoint: string, now: Millis): boolean {
  if (now >= outUntil) return false;
  const track = tracks.get(endpoint);
  return track !== undefined && isTrackOut(track, now);
}

/** The ejections in force. */
export function ejections({ tracks }: Tracker, now: Millis): Ejection[] {
  return [...tracks].flatMap(([endpoint, track]) =>
    isTrackOut(track, now) ? [{ endpoint, until: track.ejectedUntil }] : [],
  );
}

/**
 * Folds in how one call ended, and answers the ejections that follow. What
 * happens to an endpoint while it is out counts for nothing, so that it
 * returns with clean counters.
 */
export function record(
  tracker: Tracker,
  policy: OutlierPolicy,
  { endpoint, end }: { readonly endpoint: string; readonly end: CallEnd },
  scene: Scene,
): readonly Ejection[] {
  const ejected = advance(tracker, policy, scene);
  const track = trackOf(tracker, endpoint);
  if (isTrackOut(track, scene.now)) return ejected;
  count(track.counting, end, policy);
  return end === "answer" ? ejected : [...ejected, ...judge(tracker, policy, endpoint, scene)];
}

/** The same for many calls of another observer. */
export function recordCounts(
  tracker: Tracker,
  policy: OutlierPolicy,
  { endpoint, ...counts }: OutcomeCounts,
  scene: Scene,
): readonly Ejection[] {
  const ejected = advance(tracker, policy, scene);
  const track = trackOf(tracker, endpoint);
  if (isTrackOut(track, scene.now)) return ejected;
  merge(track.counting, counts, policy);
  return [...ejected, ...judge(tracker, policy, endpoint, scene)];
}

/** Ends an ejection early: somebody has found the endpoint well. Answers whether there was one. */
export function readmit({ tracks }: Tracker, endpoint: string, now: Millis): boolean {
  const track = tracks.get(endpoint);
  if (track === undefined || !isTrackOut(track, now)) return false;
  track.ejectedUntil = now;
  return true;
}

/** Begins an endpoint's failures in a row anew. */
export function breakRow({ tracks }: Tracker, endpoint: string): void {
  const track = tracks.get(endpoint);
  if (track !== undefined) track.counting.inARow = noCounts().inARow;
}

/** Forgets endpoints that the service no longer has. */
export function retain({ tracks }: Tracker, ids: ReadonlySet<string>): void {
  for (const id of tracks.keys()) if (!ids.has(id)) tracks.delete(id);
}

/**
 * Ends the interval if it is over: looks at rates, takes one ejection back
 * from endpoints that had a whole interval without one, and starts counting
 * calls anew; what is in a row goes on. Of an interval that is over for longer
 * than another nobody was there to see the end: its rates are old news.
 */
export function advance(tracker: Tracker, policy: OutlierPolicy, scene: Scene): readonly Ejection[] {
  const { intervalMs } = policy;
  const lateMs = scene.now - tracker.intervalEndsAt;
  // Further ahead than it could have been set: the clock has stepped back, or the policy changed.
  if (lateMs < -intervalMs) tracker.intervalEndsAt = scene.now + intervalMs;
  if (lateMs < 0) return NONE;
  const lastEnd = tracker.intervalEndsAt + Math.floor(lateMs / intervalMs) * intervalMs;
  for (const track of tracker.tracks.values()) forgive(track, tracker.intervalEndsAt, lastEnd, intervalMs);
  const ejected = lateMs < intervalMs ? judgeRates(tracker, policy, scene) : NONE;
  for (const { counting } of tracker.tracks.values()) {
    counting.calls = 0;
    counting.serverErrors = 0;
    counting.gatewayErrors = 0;
    counting.localFailures = 0;
  }
  tracker.intervalEndsAt = lastEnd + intervalMs;
  return ejected;
}

function isTrackOut({ ejectedAt, ejectedUntil }: Track, now: Millis): boolean {
  return now < ejectedUntil && ejectedAt <= now;
}

function trackOf({ tracks }: Tracker, endpoint: string): Track {
  const known = tracks.get(endpoint);
  if (known !== undefined) return known;
  const track = { counting: noCounts(), ejections: 0, ejectedAt: 0, ejectedUntil: 0 };
  tracks.set(endpoint, track);
  return track;
}

/** Ejects an endpoint whose failures in a row are too many. They count anew then, whether it could be ejected or not. */
function judge(tracker: Tracker, policy: OutlierPolicy, endpoint: string, scene: Scene): readonly Ejection[] {
  const { inARow } = trackOf(tracker, endpoint).counting;
  if (!areTooMany(inARow, policy) || scene.believes?.(endpoint, "in a row") === false) return NONE;
  breakRow(tracker, endpoint);
  return eject(tracker, policy, endpoint, scene);
}

function areTooMany({ serverErrors, gatewayErrors, localFailures }: InARow, policy: OutlierPolicy): boolean {
  return (
    serverErrors >= (policy.consecutive5xx ?? Infinity) ||
    gatewayErrors >= (policy.consecutiveGatewayErrors ?? Infinity) ||
    (policy.splitsLocalFailures && localFailures >= (policy.consecutiveLocalFailures ?? Infinity))
  );
}

/** Ejects an endpoint unless too many are out already. */
function eject(tracker: Tracker, policy: OutlierPolicy, endpoint: string, scene: Scene): readonly Ejection[] {
  const { now } = scene;
  if (!isRoomFor(tracker, policy, scene)) return NONE;
  const track = trackOf(tracker, endpoint);
  const { baseEjectionMs, maxEjectionMs } = policy;
  if (baseEjectionMs * track.ejections < maxEjectionMs) track.ejections += 1;
  const until = now + Math.min(baseEjectionMs * track.ejections, maxEjectionMs);
  track.ejectedAt = now;
  track.ejectedUntil = until;
  track.counting = noCounts();
  tracker.outUntil = Math.max(tracker.outUntil, until);
  return [{ endpoint, until }];
}

/** Rounding must not cost an endpoint: 0.29 of 100 are 29. */
const EPSILON = 1e-9;

function isRoomFor(tracker: Tracker, { maxEjectedRatio }: OutlierPolicy, { endpoints, now }: Scene): boolean {
  const out = endpoints.filter(
    ({ id, ejectedUntil = 0 }) => now < ejectedUntil || isOut(tracker, id, now),
  ).length;
  return out === 0 || out + 1 <= maxEjectedRatio * endpoints.length + EPSILON;
}

/** Counts the intervals that ended since, and that it was in use for all of. */
function forgive(track: Track, firstEnd: Millis, lastEnd: Millis, intervalMs: Millis): void {
  const waitMs = Math.max(0, track.ejectedUntil + intervalMs - firstEnd);
  const first = firstEnd + Math.ceil(waitMs / intervalMs) * intervalMs;
  const intervals = first > lastEnd ? 0 : (lastEnd - first) / intervalMs + 1;
  track.ejections = Math.max(0, track.ejections - intervals);
}

/** Ejects by rates, the worst endpoints first: the share may not do for all. */
function judgeRates(tracker: Tracker, policy: OutlierPolicy, scene: Scene): readonly Ejection[] {
  return viewsOf(policy).flatMap((view) => {
    const rated = scene.endpoints
      .filter(({ id }) => !isOut(tracker, id, scene.now))
      .map(({ id }) => rate(id, tracker.tracks.get(id)?.counting ?? noCounts(), view));
    return outliers(rated, policy)
      .filter((endpoint) => scene.believes?.(endpoint, "rate") !== false)
      .flatMap((endpoint) => eject(tracker, policy, endpoint, scene));
  });
}
