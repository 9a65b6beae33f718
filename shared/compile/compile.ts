/**
 * From the world to units: what hosts receive. A unit depends on the world's
 * content alone, so that equal configuration compiles to equal units.
 *
 * @module
 */
import type { Address, Endpoint } from "../engine/endpoint.ts";
import type { HealthCheck } from "../engine/health-check.ts";
import * as host from "../engine/host.ts";
import {
  DIRECTORY,
  serviceKey,
  type DirectoryUnit,
  type FailoverTarget,
  type Listener,
  type ServiceRoutes,
  type ServiceUnit,
  type Subset,
  type Unit,
  type UnitKey,
  type VirtualHostUnit,
  type WorkloadUnit,
} from "../engine/snapshot.ts";
import type { Backend, RouteSet } from "../engine/route.ts";
import { pool } from "./authorization.ts";
import { concernsGateway } from "./gateway-subject.ts";
import { domainsAt, domainsOver, parentKey, parentPort, routesAt } from "./attach.ts";
import { endpointId, membersOf, servicesWith, type Member } from "./members.ts";
import { conditionOf } from "./health-check.ts";
import { hasLabels } from "./labels.ts";
import { collectInbound, compileInbound, spacesFor } from "./inbound.ts";
import { isServed, listenersOf, type ListenerEntry } from "./listeners.ts";
import { compareText, inOrder } from "./multimap.ts";
import { isForAll, SYSTEM_NAMESPACE, type Policy, type Subject } from "./policy.ts";
import { outdoneAt } from "./route-conflicts.ts";
import { isForRequests } from "./route-kinds.ts";
import { compileRoutes } from "./routes.ts";
import {
  findRoute,
  findService,
  spaceOf,
  splitName,
  type HttpRoute,
  type Space,
  type TrafficRule,
  type World,
} from "./state.ts";
import { DEFAULT_TRAFFIC, pathLevelOf, trafficAt, warmsUp } from "./traffic.ts";

/** Compiles one unit; `null` when it does not exist. */
export function compileUnit(world: World, key: UnitKey): Unit | null {
  if (key === DIRECTORY) return compileDirectory(world);
  const colon = key.indexOf(":");
  const name = key.slice(colon + 1);
  switch (key.slice(0, Math.max(colon, 0))) {
    case "service":
      return compileService(world, name);
    case "workload":
      return compileWorkload(world, name);
    case "host":
      return compileVirtualHost(world, name);
    default:
      return null;
  }
}

/** The service units that a unit's routes and policies name: what a host that holds the unit needs, too. */
export function references(unit: Unit): UnitKey[] {
  const sets = routeSetsOf(unit);
  const usable = sets.flatMap(targetsIn).filter(({ invalid }) => invalid === undefined);
  const named = [...usable, ...standInsOf(unit)];
  return [...new Set(named.map(({ service }) => serviceKey(service)))].sort(compareText);
}

function standInsOf(unit: Unit): readonly FailoverTarget[] {
  if (unit.kind !== "service") return [];
  const subsets = Object.values(unit.subsets);
  return [unit.traffic, ...subsets.map(({ traffic }) => traffic)].flatMap((policy) => policy?.failover ?? []);
}

/** The backends of a set, and the mirrors of its rules and backends. */
function targetsIn({ actions }: RouteSet): readonly Pick<Backend, "service" | "invalid">[] {
  return actions.flatMap(({ filters, backends }) => [
    ...(filters.mirrors ?? []),
    ...backends.flatMap((backend) => [backend, ...(backend.filters.mirrors ?? [])]),
  ]);
}

function routeSetsOf(unit: Unit): readonly RouteSet[] {
  if (unit.kind === "virtual-host") return [unit.routes];
  return unit.kind === "service" ? unit.routes.map(({ routes }) => routes) : [];
}

function compileDirectory(world: World): DirectoryUnit {
  const gateways = [...world.spaces].flatMap(([namespace, space]) =>
    [...space.gateways.keys()].map((name) => `${namespace}/${name}`),
  );
  const listeners = gateways.flatMap((gateway) =>
    listenersOf(world, gateway)
      .filter((entry) => isServed(world, entry))
      .map((entry) => compileListener(world, entry)),
  );
  return {
    kind: "directory",
    trustDomain: world.trustDomain,
    keys: world.keys,
    listeners: listeners.sort((a, b) => compareText(a.id, b.id)),
    ...(world.roots.length === 0 ? {} : { roots: world.roots }),
    ...(world.revoked.ids.length + world.revoked.identities.length === 0 ? {} : { revoked: world.revoked }),
  };
}

function compileListener(world: World, { id, gateway, listener }: ListenerEntry): Listener {
  const pathLevel = pathLevelOf(world, id);
  return {
    id,
    gateway,
    port: listener.port,
    scheme: listener.protocol === "HTTPS" ? "https" : "http",
    hostname: listener.hostname ?? "*",
    domains: domainsAt(world, id).sort(host.compareHost),
    ...(pathLevel === undefined ? {} : { pathLevel }),
  };
}

/**
 * A request falls through from a route with a narrow host name to one with a
 * wider: Gateway API orders rules by host name first and then goes on, so a
 * virtual host holds the rules of every route that covers it.
 */
function compileVirtualHost(world: World, name: string): VirtualHostUnit | null {
  const hash = name.indexOf("#");
  const [listener, domain] = [name.slice(0, hash), name.slice(hash + 1)];
  const byDomain = world.attachments.byListener.get(listener);
  if (byDomain?.has(domain) !== true) return null;

  const outdone = outdoneAt(world, listener);
  const ranks = new Map<string, number>();
  domainsOver(world, listener, domain).forEach((other, rank) => {
    for (const route of byDomain.get(other) ?? []) {
      if (!ranks.has(route) && !outdone.has(route)) ranks.set(route, rank);
    }
  });
  const candidates = [...ranks].flatMap(([key, rank]) => {
    const route = findRoute(world, key);
    return route === undefined ? [] : [{ route, rank }];
  });
  return {
    kind: "virtual-host",
    routes: compileRoutes(world, candidates, "gateway"),
    ...compileEntrance(world, listener),
  };
}

/**
 * What protects the gateway of a listener: AuthorizationPolicies that target
 * or select it. One for a whole namespace, or the mesh, protects workloads,
 * and with them everything that the gateway leads to. Tokens of end users
 * are verified here by every RequestAuthentication in reach; one that is for
 * workloads, too, leaves them their token.
 */
function compileEntrance(world: World, listener: string): Pick<VirtualHostUnit, "authorization" | "users"> {
  const gateway = listener.slice(0, listener.lastIndexOf("/"));
  const spaces = spacesFor(world, splitName(gateway)[0]);
  const about = <Kind extends Policy>(maps: readonly ReadonlyMap<string, Kind>[]) =>
    maps.flatMap(inOrder).filter((policy) => concernsGateway(world, policy, gateway));
  const users = about(spaces.map(({ users }) => users)).flatMap((policy) =>
    isForAll(policy) ? policy.rules.map((rule) => ({ ...rule, isForwarded: true })) : policy.rules,
  );
  const policies = about(spaces.map(({ authorizations }) => authorizations)).filter(
    (policy) => !isForAll(policy),
  );
  const { providers } = spaceOf(world, SYSTEM_NAMESPACE);
  return {
    authorization: pool({ policies, intending: [], providers }),
    ...(users.length === 0 ? {} : { users }),
  };
}

function compileService(world: World, qualified: string): ServiceUnit | null {
  const service = findService(world, qualified);
  if (service === undefined) return null;
  const [namespace, name] = splitName(qualified);
  const space = spaceOf(world, namespace);

  const inbound = collectInbound(world);
  const rule = trafficAt(space, name);
  const members = endpointsOf(space, name);
  const endpoints = members.map((member) => {
    const index = inbound.indexOf(subjectOf(space, namespace, member));
    return compileEndpoint(member, {
      space,
      namespace,
      name,
      check: rule?.check ?? null,
      needsAge: warmsUp(rule),
      inbound: index,
      // A Worker that is called by a binding sees no certificate.
      isEdgeOnly: member.isJoined && inbound.policies[index]?.tokens?.isBound === true,
    });
  });
  if (endpoints.length === 0) inbound.indexOf({ namespace, labels: {}, services: [name] });
  return {
    kind: "service",
    namespace,
    name,
    ports: service.spec.ports.map((port) => ({ name: port.name, port: port.port })),
    endpoints,
    inbound: inbound.policies,
    routes: compileServiceRoutes(world, qualified),
    traffic: rule?.traffic ?? DEFAULT_TRAFFIC,
    subsets: compileSubsets(rule, name, members),
  };
}

/** A service's endpoints with distinct ids; an address that is already in is counted once. */
export function endpointsOf(space: Space, service: string): Member[] {
  const own = (member: Member) => member.source === "declared" || member.services.includes(service);
  const members = membersOf(space.members, service);
  const ids = new Set<string>();
  const addresses = new Set<string>();
  return [...members.filter(own), ...members.filter((member) => !own(member))].filter((member) => {
    const id = endpointId(member, service);
    const address = JSON.stringify(member.address);
    if (ids.has(id) || (!own(member) && addresses.has(address))) return false;
    ids.add(id);
    addresses.add(address);
    return true;
  });
}

/** The endpoints of each subset that the service's TrafficPolicy names. */
function compileSubsets(
  rule: TrafficRule | undefined,
  service: string,
  members: readonly Member[],
): Readonly<Record<string, Subset>> {
  const subsets = (rule?.subsets ?? []).map(({ name, labels, traffic }): [string, Subset] => {
    const own = members.filter((member) => hasLabels(member.labels, labels));
    return [name, { endpoints: own.map((member) => endpointId(member, service)), traffic }];
  });
  return Object.fromEntries(subsets);
}

interface Place {
  readonly space: Space;
  readonly namespace: string;
  readonly name: string;
  /** A slow start goes by the endpoints' age; without one it would only make units larger. */
  readonly needsAge: boolean;
  readonly check: HealthCheck | null;
  readonly inbound: number;
  readonly isEdgeOnly: boolean;
}

/** Where a service's calls to a member go: never in plain text where a BackendTLSPolicy forbids it. */
export function addressAt(space: Space, service: string, { address }: Member): Address {
  return isTlsOnly(space, service) ? withTls(address) : address;
}

function isTlsOnly({ backendTls }: Space, service: string): boolean {
  return [...backendTls.values()].some(({ spec }) => spec.targetRefs.some(({ name }) => name === service));
}

/** The same address by TLS; an endpoint that does not speak it fails, instead of being called in plain text. */
function withTls(address: Address): Address {
  return address.kind === "origin" ? { ...address, url: address.url.replace(/^http:/, "https:") } : address;
}

function compileEndpoint(member: Member, place: Place): Endpoint {
  const { space, namespace, name, needsAge, check, inbound, isEdgeOnly } = place;
  const id = endpointId(member, name);
  const { health, since } = conditionOf(space, name, member, check);
  const ejectedUntil = space.outliers.get(name)?.get(id);
  return {
    id,
    address: addressAt(space, name, member),
    version: member.labels["version"] ?? "",
    weight: member.weight,
    health,
    isEjected: space.ejected.get(name)?.has(id) ?? false,
    ...(ejectedUntil === undefined ? {} : { ejectedUntil }),
    ...(needsAge && since !== null ? { since } : {}),
    isJoined: member.isJoined,
    ...(isEdgeOnly ? { isEdgeOnly } : {}),
    ...(member.isExternal === true ? { isExternal: true as const } : {}),
    workload: `${namespace}/${member.serviceAccount}`,
    ...(member.locality === null ? {} : { locality: member.locality }),
    inbound,
  };
}

/**
 * Policies at any of an endpoint's services protect it, whichever service was
 * called: otherwise a canary route from `reviews` to `reviews-v2` would lead
 * around the policies of `reviews`, and the edge would decide differently
 * from a callee that enforces its own policies.
 */
function subjectOf(space: Space, namespace: string, member: Member): Subject {
  const services = servicesWith(space.members, member);
  return {
    namespace,
    labels: member.labels,
    services,
    ...(member.source === "declared" ? { endpoint: member.name } : {}),
  };
}

function compileWorkload(world: World, qualified: string): WorkloadUnit | null {
  const [namespace, name] = splitName(qualified);
  const space = spaceOf(world, namespace);
  const member = space.declared.get(name);
  if (member === undefined) return null;
  const subject = subjectOf(space, namespace, member);
  // Only what runs the inbound half itself has to know them.
  const ports = member.isJoined ? portsAt(world, subject) : [];
  return {
    kind: "workload",
    workload: `${namespace}/${member.serviceAccount}`,
    ...(ports.length === 0 ? {} : { ports }),
    inbound: compileInbound(world, subject),
  };
}

function portsAt(world: World, { namespace, services }: Subject): number[] {
  const specs = services.map((service) => findService(world, `${namespace}/${service}`)?.spec);
  return [...new Set(specs.flatMap((spec) => spec?.ports.map(({ port }) => port) ?? []))];
}

/** A route at the service, and where: at one port or at all (`null`). */
interface ServiceRoute {
  readonly route: HttpRoute;
  readonly port: number | null;
}

/**
 * Routes at a Service (GAMMA). Those of another namespace are for that
 * namespace's callers and come first: they take the place of the service's
 * own. A set for one port holds the routes for all ports, too.
 */
function compileServiceRoutes(world: World, qualified: string): ServiceRoutes[] {
  const groups = Map.groupBy(serviceRoutes(world, qualified), ({ route }) => route.metadata.namespace);
  const [producer] = splitName(qualified);
  const consumers = [...groups.keys()].filter((namespace) => namespace !== producer).sort(compareText);
  return [...consumers, producer].flatMap((namespace) => {
    const group = groups.get(namespace) ?? [];
    const consumerNamespace = namespace === producer ? null : namespace;
    return portsOf(group).map((port) => {
      const routes = new Set(
        group.filter((one) => one.port === null || one.port === port).map(({ route }) => route),
      );
      const candidates = [...routes].map((route) => ({ route, rank: 0 }));
      return { port, consumerNamespace, routes: compileRoutes(world, candidates, "mesh") };
    });
  });
}

function serviceRoutes(world: World, qualified: string): ServiceRoute[] {
  return routesAt(world, "Service", qualified).flatMap((key) => {
    const route = findRoute(world, key);
    if (route === undefined || !isForRequests(route)) return [];
    return route.spec.parentRefs
      .filter((ref) => parentKey(route, ref) === `Service ${qualified}`)
      .flatMap((ref) => {
        const port = ref.sectionName === undefined ? (ref.port ?? null) : parentPort(world, route, ref);
        return port === undefined ? [] : [{ route, port }];
      });
  });
}

/** The ports that need a set of their own, then `null` when some route is for all. */
function portsOf(group: readonly ServiceRoute[]): (number | null)[] {
  const ports = new Set(group.map(({ port }) => port));
  return [...ports].sort((a, b) => (a ?? Infinity) - (b ?? Infinity));
}
