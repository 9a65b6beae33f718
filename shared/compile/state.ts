/**
 * What the compiler keeps: the mesh's resources and published state, with the
 * indexes that lead from one to another. Changed by `world.ts` alone.
 *
 * @module
 */
import type { AuthorizationProvider } from "../engine/authorize.ts";
import type { HashKey } from "../engine/hash.ts";
import type { HealthCheck, Verdict } from "../engine/health-check.ts";
import type { OverloadPolicy } from "../engine/overload.ts";
import type { PathLevel } from "../engine/path.ts";
import type { Priority } from "../engine/priority.ts";
import type { Revocations, TrafficPolicy, VerificationKey } from "../engine/snapshot.ts";
import type { Millis } from "../engine/time.ts";
import { createLinks, type Links } from "../front-doors/consul/entries.ts";
import type { Resource } from "../wire/resource.ts";
import type { BackendTlsPolicySpec } from "../wire/resources/backend-tls-policy.ts";
import type { GatewaySpec } from "../wire/resources/gateway.ts";
import type { GatewayClassSpec } from "../wire/resources/gateway-class.ts";
import type { ListenerSetSpec } from "../wire/resources/listener-set.ts";
import type { ReferenceGrantSpec } from "../wire/resources/references.ts";
import type { HeldValues } from "../wire/resources/secret.ts";
import type { HttpRouteSpec } from "../wire/resources/http-route.ts";
import type { ServiceSpec } from "../wire/resources/service.ts";
import type { AuthorizationPolicy } from "./authorization.ts";
import type { UserPolicy } from "./end-users.ts";
import type { FaultPolicy } from "./faults.ts";
import type { Labels } from "./labels.ts";
import type { ListenerEntry } from "./listeners.ts";
import { createMembers, type Member, type Members } from "./members.ts";
import type { MultiMap } from "./multimap.ts";
import type { PeerPolicy } from "./peer.ts";
import type { IntentionPolicy, LimitPolicy } from "./policy.ts";

/** A stored route: an HTTPRoute, or one of another kind in its form (see `route-kinds.ts`). */
export type HttpRoute = Resource<HttpRouteSpec>;

/** A route at a listener: the host names that both of them serve. */
export interface Attachment {
  /** The `id` of a `ListenerEntry`. */
  readonly listener: string;
  readonly domains: readonly string[];
}

/** All attachments, from both sides. */
export interface Attachments {
  readonly byRoute: Map<string, readonly Attachment[]>;
  /** Listener → host name → routes. */
  readonly byListener: Map<string, MultiMap<string>>;
  /** Routes by listener, a space, and their kind. */
  readonly byKind: MultiMap<string>;
  /** What `outdoneAt` answers for each listener, as far as somebody has asked. */
  readonly outdone: Map<string, ReadonlySet<string>>;
}

/** Some of a service's endpoints, as a TrafficPolicy tells them apart. */
export interface SubsetRule {
  readonly name: string;
  readonly labels: Labels;
  readonly traffic: TrafficPolicy;
  /** What holds for it where another policy decides for the service. */
  over(base: TrafficPolicy): TrafficPolicy;
}

/** A TrafficPolicy in force for its targets in its namespace, each unless an older one is. Targets are by name. */
export interface TrafficRule {
  readonly name: string;
  readonly creationTimestamp: string;
  readonly services: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  /** `gateway`, or `gateway/listener`. */
  readonly gateways: ReadonlySet<string>;
  readonly traffic: TrafficPolicy;
  /** How the services' endpoints are checked; `null` when they are not. */
  readonly check: HealthCheck | null;
  /** Names subsets and nothing else: it does not decide for a service where another policy says more. */
  readonly isSilent: boolean;
  readonly subsets: readonly SubsetRule[];
  /** What keeps a route's calls at one backend; `null` when chance decides. */
  readonly stickyBy: HashKey | null;
  /** Of the routes' calls; `null` says nothing of it. */
  readonly priority: Priority | null;
  /** How the services' workloads are protected; `null` when they are not. */
  readonly overload: OverloadPolicy | null;
  /** How paths are made canonical at the gateways; `null` says nothing of it. */
  readonly pathLevel: PathLevel | null;
}

/** One namespace. Maps are by name. */
export interface Space {
  readonly services: Map<string, Resource<ServiceSpec>>;
  readonly gateways: Map<string, Resource<GatewaySpec>>;
  readonly listenerSets: Map<string, Resource<ListenerSetSpec>>;
  /** By `nameInSpace`. */
  readonly routes: Map<string, HttpRoute>;
  readonly grants: Map<string, Resource<ReferenceGrantSpec>>;
  readonly backendTls: Map<string, Resource<BackendTlsPolicySpec>>;
  readonly secrets: Map<string, Resource<HeldValues>>;
  readonly configMaps: Map<string, Resource<HeldValues>>;
  /** The members that each EndpointSlice declares. */
  readonly slices: Map<string, readonly Member[]>;
  readonly authorizations: Map<string, AuthorizationPolicy>;
  readonly intentions: Map<string, IntentionPolicy>;
  readonly peers: Map<string, PeerPolicy>;
  readonly users: Map<string, UserPolicy>;
  /** Only those of the system namespace are asked. */
  readonly providers: Map<string, AuthorizationProvider>;
  readonly limits: Map<string, LimitPolicy>;
  readonly faults: Map<string, FaultPolicy>;
  readonly traffic: Map<string, TrafficRule>;
  readonly declared: Map<string, Member>;
  /** By the service with which they registered. */
  readonly registered: Map<string, readonly Member[]>;
  /** By service: ids that its shared circuit took out. */
  readonly ejected: Map<string, ReadonlySet<string>>;
  /** By service: until when outlier detection keeps endpoints out, by id. */
  readonly outliers: Map<string, ReadonlyMap<string, Millis>>;
  /** By service: what its checks say of endpoints, by id. */
  readonly checked: Map<string, ReadonlyMap<string, Verdict>>;
  readonly members: Members;
}

/** All that the mesh is configured with, by namespace and name. */
export interface World {
  readonly trustDomain: string;
  keys: readonly VerificationKey[];
  /** Root certificates of the mesh. */
  roots: readonly string[];
  revoked: Revocations;
  readonly spaces: Map<string, Space>;
  /** Labels of the namespaces that are declared. */
  readonly namespaces: Map<string, Labels>;
  readonly gatewayClasses: Map<string, Resource<GatewayClassSpec>>;
  /** ListenerSets (`namespace/name`) by the Gateway that they name. */
  readonly setsByGateway: MultiMap<string>;
  /** The listeners of each Gateway, as far as somebody has asked. */
  readonly listeners: Map<string, readonly ListenerEntry[]>;
  /** Routes (by `routeKey`) by what they attach to: `Gateway`, `ListenerSet` or `Service`, a space, `namespace/name`. */
  readonly routesByParent: MultiMap<string>;
  /** Routes by the services that they name as backends or mirrors. */
  readonly routesByBackend: MultiMap<string>;
  readonly attachments: Attachments;
  /** What documents of other meshes became, by the `resourceKey` of each; of a chain, by its `chainKey`. */
  readonly derived: Map<string, readonly Resource[]>;
  /** Consul's config entries, of which chains are made, by `entryKey`. */
  readonly entries: Map<string, Resource>;
  /** Of these entries. */
  readonly links: Links;
}

/** A world without anything in it. */
export function createWorld({ trustDomain }: { readonly trustDomain: string }): World {
  return {
    trustDomain,
    keys: [],
    roots: [],
    revoked: { ids: [], identities: [] },
    spaces: new Map(),
    namespaces: new Map(),
    gatewayClasses: new Map(),
    setsByGateway: new Map(),
    listeners: new Map(),
    routesByParent: new Map(),
    routesByBackend: new Map(),
    attachments: { byRoute: new Map(), byListener: new Map(), byKind: new Map(), outdone: new Map() },
    derived: new Map(),
    entries: new Map(),
    links: createLinks(),
  };
}

function createSpace(): Space {
  return {
    services: new Map(),
    gateways: new Map(),
    listenerSets: new Map(),
    routes: new Map(),
    grants: new Map(),
    backendTls: new Map(),
    secrets: new Map(),
    configMaps: new Map(),
    slices: new Map(),
    authorizations: new Map(),
    intentions: new Map(),
    peers: new Map(),
    users: new Map(),
    providers: new Map(),
    limits: new Map(),
    faults: new Map(),
    traffic: new Map(),
    declared: new Map(),
    registered: new Map(),
    ejected: new Map(),
    outliers: new Map(),
    checked: new Map(),
    members: createMembers(),
  };
}

/** The namespace for writing, made when it is new: nobody needs to declare one. */
export function openSpace(world: World, namespace: string): Space {
  const known = world.spaces.get(namespace);
  if (known !== undefined) return known;
  const space = createSpace();
  world.spaces.set(namespace, space);
  return space;
}

const NOWHERE: Space = createSpace();

/** The namespace for reading; an empty one when there is none, so that asking leaves no trace. */
export function spaceOf(world: World, namespace: string): Space {
  return world.spaces.get(namespace) ?? NOWHERE;
}

/** Takes `namespace/name` apart. */
export function splitName(qualified: string): [namespace: string, name: string] {
  const slash = qualified.indexOf("/");
  return [qualified.slice(0, slash), qualified.slice(slash + 1)];
}

/** The Service of this name (`namespace/name`). */
export function findService(world: World, qualified: string): Resource<ServiceSpec> | undefined {
  const [namespace, name] = splitName(qualified);
  return world.spaces.get(namespace)?.services.get(name);
}

/** The Gateway of this name (`namespace/name`). */
export function findGateway(world: World, qualified: string): Resource<GatewaySpec> | undefined {
  const [namespace, name] = splitName(qualified);
  return world.spaces.get(namespace)?.gateways.get(name);
}

/** The ListenerSet of this name (`namespace/name`). */
export function findListenerSet(world: World, qualified: string): Resource<ListenerSetSpec> | undefined {
  const [namespace, name] = splitName(qualified);
  return world.spaces.get(namespace)?.listenerSets.get(name);
}

/** The route of this `routeKey`. */
export function findRoute(world: World, qualified: string): HttpRoute | undefined {
  const [namespace, name] = splitName(qualified);
  return world.spaces.get(namespace)?.routes.get(name);
}
