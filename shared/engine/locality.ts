/**
 * Localities: where hosts and endpoints are, and which endpoints a call
 * prefers.
 *
 * @module
 */
import type { Endpoint } from "./endpoint.ts";
import type { Millis } from "./time.ts";

/** A place, from wide to narrow. Compared without regard to case. */
export interface Locality {
  /** Such as `eu-west-1`; of a host on Cloudflare its continent, such as `EU`. */
  readonly region: string;
  /** Such as `eu-west-1a`, or a Cloudflare data centre such as `FRA`. Empty: the region at large. */
  readonly zone: string;
}

/** How calls are spread over the localities of a service's endpoints. */
export interface LocalityPolicy {
  /**
   * `prefer`: an endpoint in the host's zone before one in its region before any other, as in
   * Istio. `none`: every endpoint alike. Without a known place of host or endpoints both are the same.
   */
  readonly mode: "prefer" | "none";
  /** Which region comes next after the host's own, by the host's region, before all others (Istio's `failover`). */
  readonly failover: readonly { readonly from: string; readonly to: string }[];
  /** Shares by the host's locality, in place of preference (Istio's `distribute`). The first that matches counts. */
  readonly distribute: readonly Distribution[];
  /**
   * How many times its healthy share a group of endpoints is believed to carry: with 1.4, Envoy's
   * default, calls overflow to the next group once less than 71 % are healthy. At least 1.
   */
  readonly overprovisioning: number;
  /** How long calls take to come back in full to a preferred group that recovered; 0: at once. */
  readonly returnMs: number;
}

/** What holds where no policy says otherwise. */
export const DEFAULT_LOCALITY: LocalityPolicy = {
  mode: "prefer",
  failover: [],
  distribute: [],
  overprovisioning: 1.4,
  returnMs: 10_000,
};

/** A pattern of localities: `region`, `region/zone`, or `*` for all. */
export type LocalityPattern = string;

export interface Distribution {
  readonly from: LocalityPattern;
  /** Shares by pattern; they sum to 100. */
  readonly to: readonly { readonly locality: LocalityPattern; readonly weight: number }[];
}

/** Endpoints of a pool that a host at some place treats alike. */
export interface Group {
  /** Tells the group apart from the pool's others, whatever its endpoints are. */
  readonly key: string;
  /** In the order of the pool; never empty. */
  readonly endpoints: readonly Endpoint[];
  /** Its share beside the other groups' where `Groups` has shares; 1 otherwise. */
  readonly weight: number;
}

export interface Groups {
  /** `order`: each group carries what it can, the first one first. `shares`: all carry, by weight and health. */
  readonly kind: "order" | "shares";
  /** Two or more, or one that leaves endpoints out. */
  readonly list: readonly Group[];
}

/** The key of the group of all endpoints that nothing makes nearer. */
export const OTHERS = "others";

/** Reads `region` or `region/zone`. */
export function parseLocality(text: string): Locality {
  const [region = "", zone = ""] = text.split("/");
  return { region, zone };
}

/** Writes what `parseLocality` reads. */
export function formatLocality({ region, zone }: Locality): string {
  return zone === "" ? region : `${region}/${zone}`;
}

/** Whether a place is one of those that a pattern means. */
export function matches(pattern: LocalityPattern, place: Locality): boolean {
  if (pattern === "*") return true;
  const { region, zone } = parseLocality(pattern);
  return isSame(region, place.region) && (zone === "" || isSame(zone, place.zone));
}

/**
 * Groups the endpoints of a pool as a host at `here` prefers them, the best
 * group first. `null` when all are alike: the policy says so, the host does
 * not know where it is, or no group would differ from the pool itself.
 */
export function groupsOf(
  endpoints: readonly Endpoint[],
  policy: LocalityPolicy,
  here: Locality | null,
): Groups | null {
  if (policy.mode === "none" || here === null) return null;
  const distribution = policy.distribute.find(({ from }) => matches(from, here));
  const groups =
    distribution === undefined ? byOrder(endpoints, policy, here) : byShare(endpoints, distribution);
  const [first, second] = groups.list;
  const isWhole =
    first === undefined || (second === undefined && first.endpoints.length === endpoints.length);
  return isWhole ? null : groups;
}

/** Own zone, own region, the regions that `failover` names, then all others, those of unknown place among them. */
function byOrder(endpoints: readonly Endpoint[], { failover }: LocalityPolicy, here: Locality): Groups {
  const next = failover.filter(({ from }) => matches(from, here)).map(({ to }) => to);
  const patterns = [
    ...(here.zone === "" ? [] : [{ key: "zone", pattern: formatLocality(here) }]),
    { key: "region", pattern: here.region },
    ...next.map((pattern) => ({ key: `failover ${pattern}`, pattern })),
  ];
  const keyFor = ({ locality }: Endpoint): string =>
    patterns.find(({ pattern }) => locality !== undefined && matches(pattern, locality))?.key ?? OTHERS;
  const byKey = Map.groupBy(endpoints, keyFor);
  const list = [...patterns.map(({ key }) => key), OTHERS].flatMap((key) => {
    const members = byKey.get(key);
    return members === undefined ? [] : [{ key, endpoints: members, weight: 1 }];
  });
  return { kind: "order", list };
}

/**
 * An endpoint belongs to the narrowest pattern that means its place; one that
 * none means gets no calls (Istio).
 */
function byShare(endpoints: readonly Endpoint[], { to }: Distribution): Groups {
  const patterns = to.toSorted((a, b) => widthOf(a.locality) - widthOf(b.locality));
  const keyFor = ({ locality }: Endpoint): string | undefined =>
    patterns.find((share) => matches(share.locality, locality ?? NOWHERE))?.locality;
  const byKey = Map.groupBy(endpoints, keyFor);
  const list = to.flatMap(({ locality, weight }) => {
    const members = byKey.get(locality);
    return members === undefined ? [] : [{ key: `share ${locality}`, endpoints: members, weight }];
  });
  return { kind: "shares", list };
}

/** Matches nothing but `*`: no pattern has an empty region. */
const NOWHERE: Locality = { region: "", zone: "" };

function widthOf(pattern: LocalityPattern): number {
  if (pattern === "*") return 2;
  return pattern.includes("/") ? 0 : 1;
}

function isSame(one: string, other: string): boolean {
  return one === other || one.toLowerCase() === other.toLowerCase();
}

/**
 * Tells how much of its calls a group can carry, 0..1: the usable part of its
 * endpoints that are not draining, times `overprovisioning` (Envoy).
 */
export function healthOf(
  endpoints: readonly Endpoint[],
  usable: readonly Endpoint[],
  overprovisioning: number,
): number {
  if (usable.length === endpoints.length) return endpoints.length === 0 ? 0 : 1;
  let staying = 0;
  for (const { health } of endpoints) if (health !== "draining") staying += 1;
  return staying === 0 ? 0 : Math.min(1, (overprovisioning * usable.length) / staying);
}

/**
 * Tells which part of the calls goes to each group, by what each can carry.
 * The parts sum to 1, or are all 0 when no group can carry anything.
 *
 * In order, what the first cannot carry goes to the next; when all together
 * cannot carry the calls, each gets its part of them (Envoy's priority load).
 * By shares, a group's share shrinks with its health (Envoy's
 * locality-weighted load balancing).
 */
export function loadsOf({ kind, list }: Groups, healths: readonly number[]): readonly number[] {
  const carried = healths.map((health, at) => (kind === "order" ? health : health * (list[at]?.weight ?? 0)));
  const sum = carried.reduce((total, each) => total + each, 0);
  const whole = kind === "order" ? Math.min(1, sum) : sum;
  if (whole === 0) return carried;
  let left = 1;
  return carried.map((each) => {
    const load = Math.min(left, each / whole);
    left -= load;
    return load;
  });
}

/** Which of the loads, that sum to 1, a point of [0, 1) falls on; one that is 0 is never the answer. */
export function drawAt(loads: readonly number[], point: number): number {
  let upTo = 0;
  let last = 0;
  for (const [at, load] of loads.entries()) {
    if (load <= 0) continue;
    upTo += load;
    last = at;
    if (point < upTo) break;
  }
  return last;
}

/** How much of a group's health a host counts on so far. Owned and kept by the host, changed by `climb`. */
export interface Ramp {
  /** 0..1. */
  level: number;
  /** Since when it rises from `level`; `null` while it does not. */
  risesSince: Millis | null;
}

/** How far a host's calls have come back to the groups of a pool, and to the pool itself. */
export interface Returns {
  readonly pool: Ramp;
  /** By the keys of groups. */
  readonly groups: Map<string, Ramp>;
}

/** A pool of which nothing has failed yet. */
export function createReturns(): Returns {
  return { pool: { level: 1, risesSince: null }, groups: new Map() };
}

/**
 * Keeps a ramp for each group that a pool has now. The first groups that a
 * host knows are counted on in full; one that comes later, or comes again
 * after all of its endpoints had gone, begins from nothing.
 */
export function retainGroups({ groups }: Returns, keys: readonly string[]): void {
  const level = groups.size === 0 ? 1 : 0;
  for (const key of groups.keys()) if (!keys.includes(key)) groups.delete(key);
  for (const key of keys) if (!groups.has(key)) groups.set(key, { level, risesSince: null });
}

/**
 * Tells what to count on of a group's health now. It falls at once and rises
 * in a straight line, from nothing to all within `returnMs`, from when the
 * recovery is first seen: hosts that all learned of it at the same time, after
 * a pause as well, do not all come back in the same moment. A clock that
 * steps back holds the rise up for the size of the step.
 */
export function climb(ramp: Ramp, health: number, returnMs: Millis, now: Millis): number {
  const level = levelOf(ramp, returnMs, now);
  if (health <= level || returnMs === 0) {
    ramp.level = health;
    ramp.risesSince = null;
    return health;
  }
  ramp.risesSince ??= now;
  return level;
}

/** Whether all groups are counted on in full. */
export function isSteady({ groups }: Returns): boolean {
  for (const { level, risesSince } of groups.values()) if (level !== 1 || risesSince !== null) return false;
  return true;
}

function levelOf({ level, risesSince }: Ramp, returnMs: Millis, now: Millis): number {
  return risesSince === null ? level : level + Math.max(0, now - risesSince) / returnMs;
}
