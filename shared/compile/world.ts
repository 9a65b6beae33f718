/**
 * The world: all resources and published state of the mesh, indexed so that
 * one change finds what depends on it without looking at the rest.
 *
 * A world depends on what it holds, never on the order in which it came.
 *
 * @module
 */
import type { Ejection } from "../engine/outlier.ts";
import { DIRECTORY, serviceKey, type UnitKey, type VerificationKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import type { Name } from "../front-doors/consul/chain.ts";
import { entryKey, isEntry, link, unlink } from "../front-doors/consul/entries.ts";
import { parseAddress } from "../wire/address.ts";
import { resourceKey, type Resource, type ResourceRef } from "../wire/resource.ts";
import type { AuthorizationProviderSpec } from "../wire/resources/authorization-provider.ts";
import type { EndpointSpec } from "../wire/resources/endpoint.ts";
import type { EndpointSliceSpec } from "../wire/resources/endpoint-slice.ts";
import type { ServiceSpec } from "../wire/resources/service.ts";
import { isKind } from "../wire/resources/schemas.ts";
import type { CheckedEndpoint, RegisteredEndpoint, TrustPublication } from "../wire/registry-rpc.ts";
import { attach, detach, parentKey } from "./attach.ts";
import { compileAuthorization } from "./authorization.ts";
import { backendService, targetsOf } from "./backends.ts";
import { chainKey, chainsOf, entriesOf, ENTRY_KINDS } from "./chain.ts";
import { unfold, unfoldChain } from "./derive.ts";
import { compileProvider, compileUsers } from "./end-users.ts";
import { compileFaultPolicy } from "./faults.ts";
import { changeListeners, putListenerSet, removeListenerSet, setsIn } from "./listener-changes.ts";
import type { Labels } from "./labels.ts";
import { addMember, addSelector, dropMember, dropSelector, servicesWith, type Member } from "./members.ts";
import { addTo, removeFrom } from "./multimap.ts";
import { placeOf } from "./places.ts";
import { compilePeer } from "./peer.ts";
import { compileIntentionPolicy, compileLimits } from "./policy.ts";
import { isRouteKind, nameInSpace, routeKey, routeOf } from "./route-kinds.ts";
import { membersIn } from "./slices.ts";
import { openSpace, splitName, type HttpRoute, type Space, type World } from "./state.ts";
import { compileTrafficRule } from "./traffic.ts";

export { createWorld, type World } from "./state.ts";

/**
 * Adds or replaces a resource; one of another mesh's kind in the form of what
 * it becomes. Kinds that mean nothing to hosts are ignored.
 */
export function put(world: World, resource: Resource): void {
  const { apiVersion, kind, metadata } = resource;
  const ref = { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
  if (isEntry(resource)) {
    return changeChains(world, metadata, () => world.entries.set(entryKey(kind, metadata), resource));
  }
  remove(world, ref);
  const derived = unfold(resource);
  if (derived === null) putOwn(world, resource);
  else setDerived(world, resourceKey(ref), derived);
}

/** Takes out what something became, and puts in what it becomes now. */
function setDerived(world: World, key: string, derived: readonly Resource[]): void {
  for (const { kind, metadata } of world.derived.get(key) ?? []) removeOwn(world, { kind, ...metadata });
  if (derived.length === 0) world.derived.delete(key);
  else world.derived.set(key, derived);
  for (const own of derived) putOwn(world, own);
}

/** Translates the chains anew that an entry of a service was part of before a change, or is after. */
function changeChains(world: World, service: Name, change: () => void): void {
  const entries = entriesOf(world);
  const before = chainsOf(world, service);
  unlink(world.links, entries, service);
  change();
  link(world.links, entries, service);
  const chains = new Map([...before, ...chainsOf(world, service)].map((chain) => [chainKey(chain), chain]));
  for (const [key, chain] of chains) {
    const own = ENTRY_KINDS.flatMap((kind) => world.entries.get(entryKey(kind, chain)) ?? []);
    const callers = entries.callers(chain);
    const told = callers.flatMap(({ kind, metadata }) => world.entries.get(entryKey(kind, metadata)) ?? []);
    setDerived(world, key, unfoldChain(entries, chain, [...own, ...told]));
  }
}

function putOwn(world: World, resource: Resource): void {
  const { namespace, name } = resource.metadata;
  if (isKind(resource, "Namespace")) {
    setNamespace(world, name, resource.metadata.labels);
    return;
  }
  if (isKind(resource, "GatewayClass")) {
    world.gatewayClasses.set(name, resource);
    return;
  }

  const space = openSpace(world, namespace);
  if (isKind(resource, "Service")) {
    space.services.set(name, withTcpPorts(resource));
    addSelector(space.members, name, resource.spec.selector);
  } else if (isKind(resource, "Endpoint")) putEndpoint(space, resource);
  else if (isKind(resource, "EndpointSlice")) putSlice(space, resource);
  else if (isKind(resource, "Gateway")) {
    changeListeners(world, [`${namespace}/${name}`], () => space.gateways.set(name, resource));
  } else if (isKind(resource, "ListenerSet")) putListenerSet(world, space, resource);
  else {
    const route = routeOf(resource);
    if (route === null) putReferent(world, space, resource);
    else putRoute(world, space, route);
  }
}

/** Calls go to TCP ports only. */
function withTcpPorts({ spec, ...service }: Resource<ServiceSpec>): Resource<ServiceSpec> {
  return { ...service, spec: { ...spec, ports: spec.ports.filter(({ protocol }) => protocol === "TCP") } };
}

/** What others refer to. */
function putReferent(world: World, space: Space, resource: Resource): void {
  const { name } = resource.metadata;
  if (isKind(resource, "ReferenceGrant")) space.grants.set(name, resource);
  else if (isKind(resource, "Secret")) space.secrets.set(name, resource);
  else if (isKind(resource, "ConfigMap")) space.configMaps.set(name, resource);
  else putPolicy(world, space, resource);
}

function setNamespace(world: World, name: string, labels: Labels | null): void {
  changeListeners(world, setsIn(world, name), () => {
    if (labels === null) world.namespaces.delete(name);
    else world.namespaces.set(name, labels);
  });
  for (const route of routesFrom(world, name)) attach(world, route);
}

function putSlice(space: Space, slice: Resource<EndpointSliceSpec>): void {
  const members = membersIn(slice);
  space.slices.set(slice.metadata.name, members);
  for (const member of members) addMember(space.members, member);
}

function putPolicy(world: World, space: Space, resource: Resource): void {
  const { name } = resource.metadata;
  if (isKind(resource, "AuthorizationPolicy")) {
    space.authorizations.set(name, compileAuthorization(resource, world.trustDomain));
  } else if (isKind(resource, "ServiceIntentions")) {
    space.intentions.set(name, compileIntentionPolicy(resource, world.trustDomain));
  } else if (isKind(resource, "PeerAuthentication")) space.peers.set(name, compilePeer(resource));
  else if (isKind(resource, "RequestAuthentication")) space.users.set(name, compileUsers(resource));
  else if (isKind(resource, "AuthorizationProvider")) putProvider(space, resource);
  else if (isKind(resource, "RateLimitPolicy")) space.limits.set(name, compileLimits(resource));
  else if (isKind(resource, "BackendTLSPolicy")) space.backendTls.set(name, resource);
  else if (isKind(resource, "FaultPolicy")) {
    space.faults.set(name, compileFaultPolicy(resource, world.trustDomain));
  } else if (isKind(resource, "TrafficPolicy")) space.traffic.set(name, compileTrafficRule(resource));
}

function putProvider({ providers }: Space, resource: Resource<AuthorizationProviderSpec>): void {
  const provider = compileProvider(resource);
  if (provider !== null) providers.set(provider.name, provider);
}

function putEndpoint(space: Space, { metadata, spec }: Resource<EndpointSpec>): void {
  const parsed = parseAddress(spec.address);
  // Stored specs have been parsed: an address that cannot be read is none that was ever accepted.
  if (!parsed.ok) return;
  const { clientCertificate: certificate } = spec;
  const { address } = parsed;
  const member: Member = {
    source: "declared",
    name: metadata.name,
    services: spec.services,
    labels: metadata.labels,
    address: address.kind === "origin" && certificate !== undefined ? { ...address, certificate } : address,
    weight: spec.weight,
    health: "healthy",
    isJoined: spec.joined,
    ...(spec.external ? { isExternal: true as const } : {}),
    serviceAccount: spec.serviceAccount,
    locality: placeOf(spec.locality, metadata.labels),
    since: Date.parse(metadata.creationTimestamp),
  };
  space.declared.set(metadata.name, member);
  addMember(space.members, member);
}

function putRoute(world: World, space: Space, route: HttpRoute): void {
  const key = routeKey(route);
  space.routes.set(nameInSpace(route.kind, route.metadata.name), route);
  for (const parent of parentKeys(route)) addTo(world.routesByParent, parent, key);
  for (const backend of backendKeys(route)) addTo(world.routesByBackend, backend, key);
  attach(world, key);
}

function parentKeys(route: HttpRoute): string[] {
  return route.spec.parentRefs.map((ref) => parentKey(route, ref));
}

function backendKeys(route: HttpRoute): string[] {
  return targetsOf(route).map((ref) => backendService(route, ref));
}

function routesFrom(world: World, namespace: string): string[] {
  return [...(world.spaces.get(namespace)?.routes.keys() ?? [])].map((name) => `${namespace}/${name}`);
}

/** Removes a resource and what it became; one that is not there is ignored. */
export function remove(world: World, ref: ResourceRef): void {
  const entry = entryKey(ref.kind, ref);
  if (world.entries.has(entry)) return changeChains(world, ref, () => world.entries.delete(entry));
  const key = resourceKey(ref);
  if (world.derived.has(key)) setDerived(world, key, []);
  else removeOwn(world, ref);
}

function removeOwn(
  world: World,
  { kind, namespace, name }: Pick<ResourceRef, "kind" | "namespace" | "name">,
): void {
  if (kind === "Namespace") {
    setNamespace(world, name, null);
    return;
  }
  if (kind === "GatewayClass") {
    world.gatewayClasses.delete(name);
    return;
  }

  const space = world.spaces.get(namespace);
  if (space === undefined) return;
  if (kind === "Service" && space.services.delete(name)) dropSelector(space.members, name);
  else if (kind === "Endpoint") removeEndpoint(space, name);
  else if (kind === "EndpointSlice") removeSlice(space, name);
  else if (kind === "Gateway" && space.gateways.has(name)) {
    changeListeners(world, [`${namespace}/${name}`], () => space.gateways.delete(name));
  } else if (kind === "ListenerSet") removeListenerSet(world, space, name);
  else if (isRouteKind(kind)) removeRoute(world, space, nameInSpace(kind, name));
  else if (kind === "ReferenceGrant") space.grants.delete(name);
  else if (kind === "Secret") space.secrets.delete(name);
  else if (kind === "ConfigMap") space.configMaps.delete(name);
  else removePolicy(space, kind, name);
}

function removePolicy(space: Space, kind: string, name: string): void {
  if (kind === "BackendTLSPolicy") space.backendTls.delete(name);
  else if (kind === "AuthorizationPolicy") space.authorizations.delete(name);
  else if (kind === "ServiceIntentions") space.intentions.delete(name);
  else if (kind === "PeerAuthentication") space.peers.delete(name);
  else if (kind === "RequestAuthentication") space.users.delete(name);
  else if (kind === "AuthorizationProvider") space.providers.delete(name);
  else if (kind === "RateLimitPolicy") space.limits.delete(name);
  else if (kind === "FaultPolicy") space.faults.delete(name);
  else if (kind === "TrafficPolicy") space.traffic.delete(name);
}

function removeSlice(space: Space, name: string): void {
  for (const member of space.slices.get(name) ?? []) dropMember(space.members, member);
  space.slices.delete(name);
}

function removeEndpoint(space: Space, name: string): void {
  const member = space.declared.get(name);
  if (member === undefined) return;
  space.declared.delete(name);
  dropMember(space.members, member);
}

function removeRoute(world: World, space: Space, name: string): void {
  const route = space.routes.get(name);
  if (route === undefined) return;
  const key = routeKey(route);
  space.routes.delete(name);
  for (const parent of parentKeys(route)) removeFrom(world.routesByParent, parent, key);
  for (const backend of backendKeys(route)) removeFrom(world.routesByBackend, backend, key);
  detach(world, key);
}

/**
 * Replaces the registered endpoints of a service (`namespace/name`); one whose
 * address cannot be read is left out. Answers the units that may have changed.
 */
export function setRegistered(
  world: World,
  service: string,
  endpoints: readonly RegisteredEndpoint[],
): ReadonlySet<UnitKey> {
  const [namespace, name] = splitName(service);
  const space = openSpace(world, namespace);
  const before = space.registered.get(name) ?? [];
  const after = endpoints.flatMap((endpoint) => memberOf(name, endpoint));
  const changed = [...before, ...after].flatMap((member) => servicesWith(space.members, member));

  for (const member of before) dropMember(space.members, member);
  for (const member of after) addMember(space.members, member);
  if (after.length === 0) space.registered.delete(name);
  else space.registered.set(name, after);
  return new Set(changed.map((changedName) => serviceKey(`${namespace}/${changedName}`)));
}

function memberOf(service: string, endpoint: RegisteredEndpoint): Member[] {
  const parsed = parseAddress(endpoint.address);
  if (!parsed.ok) return [];
  return [
    {
      source: "registered",
      name: endpoint.id,
      services: [service],
      labels: endpoint.labels,
      address: parsed.address,
      weight: endpoint.weight,
      health: endpoint.health,
      isJoined: endpoint.isJoined,
      serviceAccount: endpoint.serviceAccount ?? "default",
      locality: endpoint.locality ?? placeOf(undefined, endpoint.labels),
      since: endpoint.since ?? null,
    },
  ];
}

/** Replaces the ids that the shared circuit took out of a service. Answers the units that may have changed. */
export function setEjected(world: World, service: string, ids: readonly string[]): ReadonlySet<UnitKey> {
  const [namespace, name] = splitName(service);
  const { ejected } = openSpace(world, namespace);
  if (ids.length === 0) ejected.delete(name);
  else ejected.set(name, new Set(ids));
  return new Set([serviceKey(service)]);
}

/** Replaces what the checks of a service say of its endpoints. Answers the units that may have changed. */
export function setChecked(
  world: World,
  service: string,
  verdicts: readonly CheckedEndpoint[],
): ReadonlySet<UnitKey> {
  const [namespace, name] = splitName(service);
  const { checked } = openSpace(world, namespace);
  if (verdicts.length === 0) checked.delete(name);
  else checked.set(name, new Map(verdicts.map(({ id, ...verdict }) => [id, verdict])));
  return new Set([serviceKey(service)]);
}

/** Replaces what outlier detection keeps out of a service, and until when. Answers the units that may have changed. */
export function setOutliers(
  world: World,
  service: string,
  ejections: readonly Ejection[],
): ReadonlySet<UnitKey> {
  const [namespace, name] = splitName(service);
  const { outliers } = openSpace(world, namespace);
  if (ejections.length === 0) outliers.delete(name);
  else outliers.set(name, new Map(ejections.map(({ endpoint, until }) => [endpoint, until])));
  return new Set([serviceKey(service)]);
}

/** Drops ejections that have run out from services that are to be compiled: hosts ended them by themselves. */
export function dropRunOut(world: World, keys: Iterable<UnitKey>, now: Millis): void {
  const prefix = serviceKey("");
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue;
    const [namespace, name] = splitName(key.slice(prefix.length));
    const outliers = world.spaces.get(namespace)?.outliers;
    const known = outliers?.get(name);
    if (outliers === undefined || known === undefined) continue;
    const left = new Map([...known].filter(([, until]) => now < until));
    if (left.size === 0) outliers.delete(name);
    else outliers.set(name, left);
  }
}

/** Replaces the authority's public keys. Answers the units that may have changed. */
export function setKeys(world: World, keys: readonly VerificationKey[]): ReadonlySet<UnitKey> {
  world.keys = keys;
  return new Set([DIRECTORY]);
}

/** Replaces all that proofs are checked with. Answers the units that may have changed. */
export function setTrust(world: World, trust: Omit<TrustPublication, "sequence">): ReadonlySet<UnitKey> {
  world.roots = trust.roots;
  world.revoked = trust.revoked;
  return setKeys(world, trust.keys);
}
