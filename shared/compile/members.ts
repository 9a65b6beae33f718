/**
 * Who belongs to which service: the endpoints of one namespace, indexed both
 * ways, so that neither a service nor an endpoint is looked for by scanning.
 *
 * @module
 */
import type { Address, Health } from "../engine/endpoint.ts";
import type { Locality } from "../engine/locality.ts";
import type { Millis } from "../engine/time.ts";
import { compareText, addTo, removeFrom, type MultiMap } from "./multimap.ts";
import { hasLabels, pairsOf, type Labels } from "./labels.ts";

/** An endpoint, declared or registered, before it is part of a service. */
export interface Member {
  readonly source: "declared" | "registered";
  /** Its resource's name, or the id under which it registered. */
  readonly name: string;
  /** Services that have it whatever their selectors are: those it names, or the one it registered with. */
  readonly services: readonly string[];
  readonly labels: Labels;
  readonly address: Address;
  readonly weight: number;
  readonly health: Health;
  readonly isJoined: boolean;
  /** Absent: it is the mesh's own. */
  readonly isExternal?: true;
  readonly serviceAccount: string;
  /** `null` where that is not known. */
  readonly locality: Locality | null;
  /** When it was declared or registered; `null` when that is not known. */
  readonly since: Millis | null;
}

/** The endpoints and selectors of one namespace. */
export interface Members {
  readonly byLabel: MultiMap<Member>;
  readonly byService: MultiMap<Member>;
  /** Services by one label of their selectors: an endpoint that lacks it is none of theirs. */
  readonly selecting: MultiMap<string>;
  readonly selectors: Map<string, Labels>;
}

/** Members of a namespace that is new. */
export function createMembers(): Members {
  return { byLabel: new Map(), byService: new Map(), selecting: new Map(), selectors: new Map() };
}

/** Adds an endpoint to the indexes. */
export function addMember(members: Members, member: Member): void {
  for (const pair of pairsOf(member.labels)) addTo(members.byLabel, pair, member);
  for (const service of member.services) addTo(members.byService, service, member);
}

/** Takes an endpoint out of the indexes; the same object that was added. */
export function dropMember(members: Members, member: Member): void {
  for (const pair of pairsOf(member.labels)) removeFrom(members.byLabel, pair, member);
  for (const service of member.services) removeFrom(members.byService, service, member);
}

/** Remembers what a service selects. An empty selector selects nothing (Kubernetes). */
export function addSelector(members: Members, service: string, selector: Labels): void {
  const [pair] = pairsOf(selector).sort(compareText);
  if (pair === undefined) return;
  members.selectors.set(service, selector);
  addTo(members.selecting, pair, service);
}

/** Forgets what a service selects. */
export function dropSelector(members: Members, service: string): void {
  const [pair] = pairsOf(members.selectors.get(service) ?? {}).sort(compareText);
  if (pair === undefined) return;
  members.selectors.delete(service);
  removeFrom(members.selecting, pair, service);
}

/** The endpoints of a service: declared before registered, by name. */
export function membersOf(members: Members, service: string): Member[] {
  const selector = members.selectors.get(service);
  const selected = selector === undefined ? [] : membersWith(members, selector);
  return [...new Set([...(members.byService.get(service) ?? []), ...selected])].sort(compareMembers);
}

function compareMembers(a: Member, b: Member): number {
  return compareText(sortKey(a), sortKey(b));
}

/** "declared" sorts before "registered". */
function sortKey({ source, name, services }: Member): string {
  return `${source} ${name} ${source === "registered" ? services.join() : ""}`;
}

/**
 * The id of an endpoint within a service. One that registered with another
 * service carries that service's name, as ids are unique in one service only.
 */
export function endpointId({ source, name, services }: Member, service: string): string {
  return source === "declared" || services.includes(service) ? name : `${services[0] ?? ""}/${name}`;
}

/** The endpoints that have all of the labels, of which there must be one. Starts from the rarest label. */
export function membersWith(members: Members, labels: Labels): Member[] {
  const sets = pairsOf(labels).map((pair) => members.byLabel.get(pair) ?? new Set<Member>());
  const rarest = sets.reduce<Set<Member> | undefined>(
    (best, set) => (best === undefined || set.size < best.size ? set : best),
    undefined,
  );
  return [...(rarest ?? [])].filter((member) => hasLabels(member.labels, labels));
}

/** The names of the services that an endpoint belongs to, in order. */
export function servicesWith(members: Members, member: Member): string[] {
  const selecting = pairsOf(member.labels)
    .flatMap((pair) => [...(members.selecting.get(pair) ?? [])])
    .filter((service) => hasLabels(member.labels, members.selectors.get(service) ?? {}));
  return [...new Set([...member.services, ...selecting])].sort(compareText);
}
