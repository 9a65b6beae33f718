/**
 * Configuration that is valid but probably not what was meant.
 *
 * @module
 */
import type { ResourceRef } from "../wire/resource.ts";
import type { ParentRef } from "../wire/resources/route-fields.ts";
import { SERVICE_NAME } from "../wire/resources/endpoint-slice.ts";
import { obstacleAt, parentKey, parentPort } from "./attach.ts";
import type { AuthorizationPolicy } from "./authorization.ts";
import { backendService, judgeBackend, targetsOf } from "./backends.ts";
import { inspectCheck } from "./check-plan.ts";
import type { FaultPolicy } from "./faults.ts";
import type { Condition } from "./condition.ts";
import { gatewayStatus, listenerSetStatus, type ListenersStatus } from "./gateway-status.ts";
import { gatewaysIn } from "./gateway-subject.ts";
import { hasLabels } from "./labels.ts";
import { gatewayOf, listenersBy } from "./listeners.ts";
import { derivedFrom } from "./chain.ts";
import { membersOf, membersWith, servicesWith } from "./members.ts";
import { isForAll, oldest, SYSTEM_NAMESPACE, type Policy } from "./policy.ts";
import { isRouteKind, nameInSpace } from "./route-kinds.ts";
import {
  findGateway,
  findService,
  spaceOf,
  splitName,
  type HttpRoute,
  type Space,
  type TrafficRule,
  type World,
} from "./state.ts";
import { trafficAt } from "./traffic.ts";

/** One sentence for everything about these resources that dangles; each names the resource and what to look at. */
export function warnings(world: World, refs: readonly ResourceRef[]): string[] {
  return refs.flatMap((ref) => {
    const name = ref.namespace === "" ? ref.name : `${ref.namespace}/${ref.name}`;
    return [...new Set(inspect(world, ref))].map((text) => `${ref.kind} ${name}: ${text}`);
  });
}

function inspect(world: World, ref: ResourceRef): string[] {
  const derived = derivedFrom(world, ref);
  if (derived === null) return inspectOwn(world, ref);
  return derived.flatMap(({ kind, metadata }) => inspectOwn(world, { kind, ...metadata }));
}

function inspectOwn(
  world: World,
  { kind, namespace, name }: Pick<ResourceRef, "kind" | "namespace" | "name">,
): string[] {
  const space = spaceOf(world, namespace);
  switch (kind) {
    case "Service":
      return space.services.has(name) ? inspectService(space, name) : [];
    case "Endpoint":
      return inspectEndpoint(space, name);
    case "AuthorizationPolicy":
      return inspectAuthorization(world, space.authorizations.get(name));
    case "ServiceIntentions":
      return inspectPolicy(world, space.intentions.get(name));
    case "RequestAuthentication":
      return inspectPolicy(world, space.users.get(name));
    case "AuthorizationProvider":
      return namespace === SYSTEM_NAMESPACE ? [] : [`is not found: providers stand in ${SYSTEM_NAMESPACE}`];
    case "PeerAuthentication":
      return inspectPeer(world, space.peers.get(name));
    case "RateLimitPolicy":
      return inspectPolicy(world, space.limits.get(name));
    case "FaultPolicy":
      return inspectFaults(space, space.faults.get(name));
    case "TrafficPolicy":
      return [...inspectTraffic(space, name), ...inspectFailover(world, space, name)];
    case "Gateway": {
      const gateway = space.gateways.get(name);
      return gateway === undefined ? [] : inspectStatus(gatewayStatus(world, gateway));
    }
    case "ListenerSet": {
      const set = space.listenerSets.get(name);
      return set === undefined ? [] : inspectStatus(listenerSetStatus(world, set));
    }
    case "EndpointSlice":
      return inspectSlice(space, name);
    default:
      return isRouteKind(kind) ? inspectRoute(world, space.routes.get(nameInSpace(kind, name))) : [];
  }
}

/** What its status will say is false. */
function inspectStatus({ conditions, listeners }: ListenersStatus): string[] {
  const own = falseOf(conditions);
  return [
    ...own,
    ...listeners.flatMap((one) => falseOf(one.conditions).map((text) => `listener ${one.name}: ${text}`)),
  ];
}

function falseOf(conditions: readonly Condition[]): string[] {
  const untrue = conditions.filter(({ type, status }) => status === "False" && type !== "Conflicted");
  return [...new Set(untrue.map(({ message }) => message))];
}

function inspectSlice(space: Space, name: string): string[] {
  const members = space.slices.get(name) ?? [];
  if (members.length === 0) {
    return [`declares no endpoints: it needs the label ${SERVICE_NAME}, a TCP port and addresses`];
  }
  const services = new Set(members.flatMap((member) => member.services));
  const unknown = [...services].filter((service) => !space.services.has(service));
  return unknown.map((service) => `its Service ${service} does not exist`);
}

function inspectRoute(world: World, route: HttpRoute | undefined): string[] {
  return route === undefined ? [] : [...inspectParents(world, route), ...inspectBackends(world, route)];
}

function inspectService({ members }: Space, name: string): string[] {
  if (membersOf(members, name).length > 0) return [];
  const selector = Object.entries(members.selectors.get(name) ?? {}).map(([key, value]) => `${key}=${value}`);
  return [
    selector.length === 0
      ? "has no selector and no endpoint names or registers with it: calls to it fail"
      : `no endpoint has the labels ${selector.join(", ")}: calls to it fail`,
  ];
}

function inspectEndpoint(space: Space, name: string): string[] {
  const member = space.declared.get(name);
  if (member === undefined) return [];
  const unknown = member.services.filter((service) => !space.services.has(service));
  const dangling = unknown.map((service) => `spec.services names Service ${service}, which does not exist`);
  if (servicesWith(space.members, member).length > 0) return dangling;
  return ["belongs to no service: no selector matches its labels and spec.services is empty"];
}

function inspectParents(world: World, route: HttpRoute): string[] {
  if (route.spec.parentRefs.length === 0) return ["has no parentRefs: it routes nothing"];
  return route.spec.parentRefs.flatMap((ref) => {
    const parent = `${ref.namespace ?? route.metadata.namespace}/${ref.name}`;
    return ref.kind === "Service"
      ? inspectServiceParent(world, route, ref, parent)
      : inspectListeners(world, route, ref, parent);
  });
}

function inspectServiceParent(world: World, route: HttpRoute, ref: ParentRef, parent: string): string[] {
  const ports = findService(world, parent)?.spec.ports;
  if (ports === undefined) return [`its parent Service ${parent} does not exist`];
  if (parentPort(world, route, ref) !== undefined) return [];
  return [`its parent Service ${parent} has no port ${ref.sectionName ?? ref.port}: it routes nothing there`];
}

function inspectListeners(world: World, route: HttpRoute, ref: ParentRef, parent: string): string[] {
  const owner = parentKey(route, ref);
  const gateway = gatewayOf(world, owner);
  const isThere = gateway !== null && findGateway(world, gateway) !== undefined;
  if (!isThere) return [`its parent ${ref.kind} ${parent} does not exist`];
  const faults = listenersBy(world, owner).map((entry) => ({
    name: entry.listener.name,
    fault: obstacleAt(world, entry, ref, route),
  }));
  if (faults.some(({ fault }) => fault === null)) return [];
  const reasons = faults.map(({ name, fault }) => `listener ${name} ${fault?.message ?? ""}`);
  return [`no listener of ${ref.kind} ${parent} takes it: ${reasons.join("; ")}`];
}

function inspectBackends(world: World, route: HttpRoute): string[] {
  const isAtGateway = route.spec.parentRefs.some(({ kind }) => kind !== "Service");
  return targetsOf(route).flatMap((ref) => {
    const service = backendService(route, ref);
    switch (judgeBackend(world, route, ref, isAtGateway ? "gateway" : "mesh")) {
      case "backend.missing": {
        const missing =
          findService(world, service) === undefined ? "does not exist" : `has no port ${ref.port ?? ""}`;
        return [`its backend Service ${service} ${missing}: its share of requests is answered with 500`];
      }
      case "backend.kind":
        return [
          `its backend ${ref.kind} ${service} is no Service: its share of requests is answered with 500`,
        ];
      case "backend.forbidden":
        return [
          `at a Gateway it may not use Service ${service} of another namespace without a ReferenceGrant there: its share is answered with 500`,
        ];
      case null:
        return [];
    }
  });
}

function inspectPolicy(world: World, policy: Policy | undefined): string[] {
  if (policy === undefined) return [];
  const { namespace, scope } = policy;
  if (scope.kind === "targets") {
    const space = spaceOf(world, namespace);
    const services = [...scope.services]
      .filter((name) => !space.services.has(name))
      .map((name) => `Service ${name}`);
    const gateways = [...scope.gateways]
      .filter((name) => !space.gateways.has(name))
      .map((name) => `Gateway ${name}`);
    const endpoints = [...scope.endpoints]
      .filter((name) => !space.declared.has(name))
      .map((name) => `Endpoint ${name}`);
    return [...services, ...gateways, ...endpoints].map((target) => `its target ${target} does not exist`);
  }
  if (isForAll(policy)) return [];
  if (spacesOf(world, namespace).some(({ members }) => membersWith(members, scope.labels).length > 0))
    return [];
  if (gatewaysIn(world, namespace, scope.labels).length > 0) return [];
  return ["its selector matches no endpoint: it protects nothing"];
}

function inspectAuthorization(world: World, policy: AuthorizationPolicy | undefined): string[] {
  if (policy === undefined) return [];
  const { action, provider, isTrial } = policy;
  const { providers } = spaceOf(world, SYSTEM_NAMESPACE);
  return [
    ...inspectPolicy(world, policy),
    ...strangePorts(world, policy).map(
      (port) =>
        `no Service there has port ${port}: ports are those of Services, not the targetPort behind them`,
    ),
    ...(provider === null || providers.has(provider)
      ? []
      : [
          `there is no AuthorizationProvider ${provider} in ${SYSTEM_NAMESPACE}: calls that a rule matches are denied`,
        ]),
    ...(isTrial && (action === "AUDIT" || action === "CUSTOM")
      ? [`a dry run tries ALLOW and DENY only: it is not in force and tells nothing`]
      : []),
  ];
}

/** Ports that a policy's rules name and no Service in its reach has. */
function strangePorts(world: World, { namespace, rules }: AuthorizationPolicy): readonly number[] {
  const named = rules.flatMap(({ to, when = [] }) => [
    ...to.flatMap(({ ports = [], notPorts = [] }) => [...ports, ...notPorts]),
    ...when.flatMap((one) => (one.kind === "port" ? [...(one.values ?? []), ...(one.notValues ?? [])] : [])),
  ]);
  if (named.length === 0) return [];
  const known = new Set(
    spacesOf(world, namespace).flatMap(({ services, gateways }) => [
      ...[...services.values()].flatMap(({ spec }) => spec.ports.map(({ port }) => port)),
      ...[...gateways.values()].flatMap(({ spec }) => spec.listeners.map(({ port }) => port)),
    ]),
  );
  return [...new Set(named)].filter((port) => !known.has(port));
}

/** The namespaces that a policy of one can be about. */
function spacesOf(world: World, namespace: string): readonly Space[] {
  return namespace === SYSTEM_NAMESPACE ? [...world.spaces.values()] : [spaceOf(world, namespace)];
}

function inspectPeer(world: World, policy: Policy | undefined): string[] {
  if (policy?.namespace === SYSTEM_NAMESPACE && !isForAll(policy)) {
    return [`a selector in ${SYSTEM_NAMESPACE} selects nothing elsewhere: leave it out or move the policy`];
  }
  return inspectPolicy(world, policy);
}

function inspectFaults({ services, routes }: Space, policy: FaultPolicy | undefined): string[] {
  if (policy?.scope.kind !== "targets") return [];
  const missing = [
    ...[...policy.scope.services].filter((name) => !services.has(name)).map((name) => `Service ${name}`),
    ...[...policy.routes].filter((name) => !routes.has(name)).map((name) => `HTTPRoute ${name}`),
  ];
  return missing.map((target) => `its target ${target} does not exist`);
}

function inspectTraffic(space: Space, name: string): string[] {
  const rule = space.traffic.get(name);
  if (rule === undefined) return [];
  return [
    ...inspectTargets(space, rule, "Service", {
      of: ({ services }) => services,
      has: (target) => space.services.has(target),
    }),
    ...inspectTargets(space, rule, "HTTPRoute", {
      of: ({ routes }) => routes,
      has: (target) => space.routes.has(target),
    }),
    ...inspectTargets(space, rule, "Gateway", {
      of: ({ gateways }) => gateways,
      has: (target) => hasSection(space, target),
    }),
    ...[...rule.services].flatMap((service) => [
      ...inspectSubsets(space, rule, service),
      ...(rule.check === null ? [] : inspectCheck(space, service, rule.check)),
    ]),
  ];
}

/** A target that is not there is passed over when calls fail over. */
function inspectFailover(world: World, space: Space, name: string): string[] {
  const rule = space.traffic.get(name);
  if (rule === undefined) return [];
  const policies = [rule.traffic, ...rule.subsets.map(({ traffic }) => traffic)];
  return policies
    .flatMap(({ failover }) => failover ?? [])
    .flatMap(({ service, subset }) => {
      if (findService(world, service) === undefined)
        return [`its failover target Service ${service} does not exist: it is passed over`];
      const [namespace, target] = splitName(service);
      const subsets = trafficAt(spaceOf(world, namespace), target)?.subsets ?? [];
      return subset === undefined || subsets.some((one) => one.name === subset)
        ? []
        : [`its failover target Service ${service} has no subset ${subset}: it is passed over`];
    });
}

interface Targets {
  of(rule: TrafficRule): ReadonlySet<string>;
  has(target: string): boolean;
}

function inspectTargets(space: Space, rule: TrafficRule, kind: string, targets: Targets): string[] {
  return [...targets.of(rule)].flatMap((target) => {
    if (!targets.has(target)) return [`its target ${kind} ${target} does not exist`];
    // One that only names subsets stands beside the one that decides.
    if (kind === "Service" && rule.isSilent) return [];
    const rivals = [...space.traffic.values()].filter((other) => targets.of(other).has(target));
    const winner = kind === "Service" ? trafficAt(space, target) : oldest(rivals);
    return winner === undefined || winner.name === rule.name
      ? []
      : [`the older TrafficPolicy ${winner.name} decides for ${kind} ${target}`];
  });
}

/** A Gateway, or `gateway/listener`. */
function hasSection(space: Space, target: string): boolean {
  const [gateway = "", section] = target.split("/");
  const listeners = space.gateways.get(gateway)?.spec.listeners;
  if (listeners === undefined || section === undefined) return listeners !== undefined;
  return listeners.some(({ name }) => name === section);
}

function inspectSubsets({ members }: Space, { subsets }: TrafficRule, service: string): string[] {
  const known = membersOf(members, service);
  return subsets
    .filter(({ labels }) => !known.some((member) => hasLabels(member.labels, labels)))
    .map(({ name }) => `its subset ${name} has no endpoint of Service ${service}`);
}
