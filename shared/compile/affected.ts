/**
 * Which units a change may touch.
 *
 * @module
 */
import { DIRECTORY, serviceKey, virtualHostKey, workloadKey, type UnitKey } from "../engine/snapshot.ts";
import type { Resource, ResourceRef } from "../wire/resource.ts";
import type { ReferenceGrantSpec } from "../wire/resources/references.ts";
import { covers, domainsAt } from "./attach.ts";
import { derivedFrom } from "./chain.ts";
import { gatewayOf, listenersOf } from "./listeners.ts";
import { membersOf, membersWith, servicesWith, type Member } from "./members.ts";
import { SYSTEM_NAMESPACE, type Scope } from "./policy.ts";
import { isMixed } from "./route-conflicts.ts";
import { isRouteKind, nameInSpace } from "./route-kinds.ts";
import { gatewaysIn } from "./gateway-subject.ts";
import {
  findListenerSet,
  findRoute,
  spaceOf,
  splitName,
  type Space,
  type TrafficRule,
  type World,
} from "./state.ts";

/**
 * The units whose content may depend on a resource as the world has it now.
 * Taken before and after a change, the union covers everything that changed.
 */
export function affected(world: World, resource: Resource | ResourceRef): ReadonlySet<UnitKey> {
  const { namespace, name } = "metadata" in resource ? resource.metadata : resource;
  const { apiVersion, kind } = resource;
  const derived = derivedFrom(world, { apiVersion, kind, namespace, name });
  if (derived !== null) return new Set(derived.flatMap((own) => [...affected(world, own)]));
  const qualified = `${namespace}/${name}`;
  const space = spaceOf(world, namespace);
  switch (resource.kind) {
    case "Namespace":
      return new Set([
        ...routesIn(world, name).flatMap((route) => attachedUnits(world, route)),
        ...[...spaceOf(world, name).listenerSets.keys()].flatMap((set) => setUnits(world, `${name}/${set}`)),
      ]);
    case "Service":
      return new Set([...serviceUnits(world, namespace, name), ...namingUnits(world, qualified)]);
    case "Endpoint":
      return new Set(memberUnits(space, namespace, space.declared.get(name)));
    case "Gateway":
      return new Set([DIRECTORY, ...gatewayUnits(world, namespace, name)]);
    case "ListenerSet":
      return new Set(setUnits(world, qualified));
    case "ReferenceGrant":
      return new Set(grantUnits(world, space.grants.get(name)));
    case "EndpointSlice":
      return new Set(
        (space.slices.get(name) ?? []).flatMap((member) => memberUnits(space, namespace, member)),
      );
    case "BackendTLSPolicy": {
      const targets = space.backendTls.get(name)?.spec.targetRefs ?? [];
      return new Set(targets.map((target) => serviceKey(`${namespace}/${target.name}`)));
    }
    case "AuthorizationPolicy":
      return new Set(scopeUnits(world, namespace, space.authorizations.get(name)?.scope));
    case "ServiceIntentions":
      return new Set(scopeUnits(world, namespace, space.intentions.get(name)?.scope));
    case "PeerAuthentication":
      return new Set(scopeUnits(world, namespace, space.peers.get(name)?.scope));
    case "RequestAuthentication":
      return new Set(scopeUnits(world, namespace, space.users.get(name)?.scope));
    case "AuthorizationProvider":
      return new Set(namespace === SYSTEM_NAMESPACE ? consultingUnits(world, name) : []);
    case "RateLimitPolicy":
      return new Set(scopeUnits(world, namespace, space.limits.get(name)?.scope));
    case "FaultPolicy": {
      const policy = space.faults.get(name);
      const routes = [...(policy?.routes ?? [])].flatMap((route) =>
        routeUnits(world, `${namespace}/${route}`),
      );
      return new Set([...scopeUnits(world, namespace, policy?.scope), ...routes]);
    }
    case "TrafficPolicy":
      return new Set(trafficUnits(world, namespace, space.traffic.get(name)));
    default:
      return isRouteKind(kind)
        ? new Set(routeUnits(world, `${namespace}/${nameInSpace(kind, name)}`))
        : new Set();
  }
}

/** The targets of a TrafficPolicy. */
function trafficUnits(world: World, namespace: string, rule: TrafficRule | undefined): UnitKey[] {
  if (rule === undefined) return [];
  return [
    ...[...rule.services].flatMap((service) => serviceUnits(world, namespace, service)),
    ...[...rule.routes].flatMap((route) => routeUnits(world, `${namespace}/${route}`)),
    ...(rule.gateways.size === 0 ? [] : [DIRECTORY]),
  ];
}

function routesIn(world: World, namespace: string): string[] {
  return [...(world.spaces.get(namespace)?.routes.keys() ?? [])].map((name) => `${namespace}/${name}`);
}

/** What a route is part of: virtual hosts at gateways, services. */
function routeUnits(world: World, route: string): UnitKey[] {
  const { metadata, spec } = findRoute(world, route) ?? {};
  const services = (spec?.parentRefs ?? [])
    .filter(({ kind }) => kind === "Service")
    .map(({ namespace, name }) => serviceKey(`${namespace ?? metadata?.namespace ?? ""}/${name}`));
  return [...services, ...attachedUnits(world, route)];
}

/** The virtual hosts that hold a route's rules: those of its own host names and of narrower ones. */
function attachedUnits(world: World, route: string): UnitKey[] {
  const attachments = world.attachments.byRoute.get(route) ?? [];
  const hosts = attachments.flatMap(({ listener, domains }) =>
    hostsUnder(world, listener, domains).map((domain) => virtualHostKey(listener, domain)),
  );
  return attachments.length === 0 ? [] : [DIRECTORY, ...hosts];
}

function hostsUnder(world: World, listener: string, domains: readonly string[]): readonly string[] {
  // Which route has a host may depend on any other of the listener.
  if (isMixed(world, listener)) return domainsAt(world, listener);
  // Only a wildcard covers more than itself; looking for what it covers reads all of the listener's names.
  if (domains.every((domain) => !domain.startsWith("*"))) return domains;
  return domainsAt(world, listener).filter((other) => domains.some((domain) => covers(domain, other)));
}

function gatewayUnits(world: World, namespace: string, name: string): UnitKey[] {
  return listenersOf(world, `${namespace}/${name}`).flatMap(({ id }) => hostsAt(world, id));
}

function hostsAt(world: World, listener: string): UnitKey[] {
  return domainsAt(world, listener).map((domain) => virtualHostKey(listener, domain));
}

/** A set's listeners take the place of others' at their ports, or leave it to them. */
function setUnits(world: World, set: string): UnitKey[] {
  const resource = findListenerSet(world, set);
  const gateway = gatewayOf(world, `ListenerSet ${set}`);
  if (resource === undefined || gateway === null) return [];
  const ports = new Set(resource.spec.listeners.map(({ port }) => port));
  const rivals = listenersOf(world, gateway).filter(
    (entry) => entry.owner.startsWith("ListenerSet ") && ports.has(entry.listener.port),
  );
  return [DIRECTORY, ...rivals.flatMap(({ id }) => hostsAt(world, id))];
}

/** The routes that could do with a grant what they could not without. */
function grantUnits(world: World, grant: Resource<ReferenceGrantSpec> | undefined): UnitKey[] {
  const namespaces = new Set(grant?.spec.from.map(({ namespace }) => namespace));
  return [...namespaces].flatMap((namespace) =>
    routesIn(world, namespace).flatMap((route) => routeUnits(world, route)),
  );
}

/** The units that name a service as a backend: they tell whether it exists. */
function namingUnits(world: World, service: string): UnitKey[] {
  const routes = [...(world.routesByBackend.get(service) ?? [])];
  return routes.flatMap((route) => routeUnits(world, route)).filter((key) => key !== DIRECTORY);
}

/**
 * A service, and what else its endpoints are part of while some policy targets
 * the service. Those that decide themselves are told of its ports in any case.
 */
function serviceUnits(world: World, namespace: string, service: string): UnitKey[] {
  const space = spaceOf(world, namespace);
  const policies = [
    ...space.authorizations.values(),
    ...space.intentions.values(),
    ...space.users.values(),
    ...space.limits.values(),
    ...space.faults.values(),
  ];
  const isTargeted =
    policies.some(({ scope }) => scope.kind === "targets" && scope.services.has(service)) ||
    [...space.traffic.values()].some(({ overload, services }) => overload !== null && services.has(service));
  const members = membersOf(space.members, service).filter(({ isJoined }) => isTargeted || isJoined);
  return [
    serviceKey(`${namespace}/${service}`),
    ...members.flatMap((member) => memberUnits(space, namespace, member)),
  ];
}

/** Everything that tells of an endpoint: its services and, if it is declared, its workload. */
function memberUnits(space: Space, namespace: string, member: Member | undefined): UnitKey[] {
  if (member === undefined) return [];
  const services = servicesWith(space.members, member).map((service) =>
    serviceKey(`${namespace}/${service}`),
  );
  return member.source === "declared" ? [workloadKey(`${namespace}/${member.name}`), ...services] : services;
}

/** The units of policies that ask a provider. */
function consultingUnits(world: World, provider: string): UnitKey[] {
  return [...world.spaces].flatMap(([namespace, { authorizations }]) =>
    [...authorizations.values()]
      .filter((policy) => policy.provider === provider)
      .flatMap(({ scope }) => scopeUnits(world, namespace, scope)),
  );
}

/** The units of everything that a policy of a namespace is about. */
function scopeUnits(world: World, namespace: string, scope: Scope | undefined): UnitKey[] {
  if (scope === undefined) return [];
  if (scope.kind === "targets") {
    return [
      ...[...scope.services].flatMap((service) => serviceUnits(world, namespace, service)),
      ...[...scope.gateways].flatMap((gateway) => gatewayUnits(world, namespace, gateway)),
      ...[...scope.endpoints].flatMap((name) => {
        const space = spaceOf(world, namespace);
        return memberUnits(space, namespace, space.declared.get(name));
      }),
    ];
  }
  const spaces =
    namespace === SYSTEM_NAMESPACE ? [...world.spaces] : [[namespace, spaceOf(world, namespace)] as const];
  return [
    ...spaces.flatMap(([name, space]) => labelledUnits(space, name, scope.labels)),
    ...gatewaysIn(world, namespace, scope.labels).flatMap((gateway) =>
      gatewayUnits(world, ...splitName(gateway)),
    ),
  ];
}

function labelledUnits(space: Space, namespace: string, labels: Readonly<Record<string, string>>): UnitKey[] {
  if (Object.keys(labels).length > 0) {
    return membersWith(space.members, labels).flatMap((member) => memberUnits(space, namespace, member));
  }
  return [
    ...[...space.services.keys()].map((service) => serviceKey(`${namespace}/${service}`)),
    ...[...space.declared.keys()].map((endpoint) => workloadKey(`${namespace}/${endpoint}`)),
  ];
}
