/**
 * What an isolate knows of how fresh its view is, and the questions that it
 * has on their way.
 *
 * @module
 */
import type { CompilePattern } from "../engine/route.ts";
import type { UnitKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { BLANK } from "./view.ts";
import type { View } from "./view.ts";

/** A request that finds an older view waits for a fetch, as long as the registry answers. */
export const MAX_STALE_MS = 1_000;
/** How long such a request waits before last-good serves it. */
export const STALE_WAIT_MS = 1_000;
/** How long a request waits for units that the isolate never had. A registry that starts cold needs seconds. */
export const COLD_WAIT_MS = 5_000;
/** A fetch that takes longer is given up for a new one: the request that it belonged to may be gone. */
export const FLIGHT_LIMIT_MS = 2_000;
/** Between two looks that strangers can bring about: by names that do not exist, or tokens that fail. */
export const LOOK_EVERY_MS = 500;
/** One question on its way. */
export interface Flight {
  readonly startedAt: Millis;
  /** Never rejects. */
  readonly done: Promise<void>;
}

/** A question that the registry holds until there is news. */
export interface Watch {
  /** Units are watched that this view knew. */
  readonly base: View;
  /** When an answer must have come: without one by then, the watch was lost on its way. */
  readonly endsAt: Millis;
}

export interface Snapshot {
  view: View;
  /** When the view was last known to be current; an open watch moves it on. */
  currentAt: Millis;
  /** Not before then is the next question asked, besides those for units that are wanted. */
  nextSyncAt: Millis;
  /** Not before then may a name that the isolate never heard cause a fetch: set after names that were not found. */
  nextColdAt: Millis;
  /** Not before then may a token that fails cause a fetch. */
  nextLookAt: Millis;
  /** Whether the registry answers in time. While it does not, requests do not wait for it. */
  isAnswering: boolean;
  /** Questions in a row that brought no answer. */
  failures: number;
  fetch: Flight | null;
  watch: Watch | null;
  /** Compiles regular expressions, once a unit had some. */
  compilePattern: CompilePattern | null;
  readonly pending: Set<UnitKey>;
}

/** Nothing loaded, nothing asked. */
export function createSnapshot(): Snapshot {
  return {
    view: BLANK,
    currentAt: Number.NEGATIVE_INFINITY,
    nextSyncAt: Number.NEGATIVE_INFINITY,
    nextColdAt: Number.NEGATIVE_INFINITY,
    nextLookAt: Number.NEGATIVE_INFINITY,
    isAnswering: true,
    failures: 0,
    fetch: null,
    watch: null,
    compilePattern: null,
    pending: new Set(),
  };
}
