/**
 * Snapshots: the compiled configuration as hosts receive it. Plain JSON, in
 * units that are delivered and replaced whole. A host asks only for the units
 * that it uses.
 *
 * @module
 */
import type { SessionPersistence } from "./affinity.ts";
import type { Authorization, OperationMatch } from "./authorize.ts";
import type { LoadBalancing } from "./balance.ts";
import type { CircuitPolicy } from "./circuit.ts";
import type { Endpoint } from "./endpoint.ts";
import type { JwtRule } from "./end-user.ts";
import type { ConcurrencyPolicy } from "./concurrency.ts";
import type { Fault } from "./fault.ts";
import type { HedgePolicy } from "./hedge.ts";
import type { RateLimit } from "./limit.ts";
import type { LocalityPolicy } from "./locality.ts";
import type { OutlierPolicy } from "./outlier.ts";
import type { OverloadPolicy } from "./overload.ts";
import type { PathLevel } from "./path.ts";
import type { RetryPolicy } from "./retry.ts";
import type { RouteSet } from "./route.ts";
import type { Timeouts } from "./timeout.ts";

/** A public key of the mesh's authority, as a JWK (RFC 7517). */
export interface VerificationKey {
  readonly kid: string;
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  readonly alg: "ES256";
}

/** A listener of a Gateway, and the host names that its routes serve. */
export interface Listener {
  /** `namespace/gateway/listener`. */
  readonly id: string;
  /** `namespace/gateway`. */
  readonly gateway: string;
  readonly port: number;
  readonly scheme: "http" | "https";
  /** `*`, `*.example.test` or `www.example.test`, in lower case. */
  readonly hostname: string;
  /** Host names with a virtual host of their own, in the same forms. */
  readonly domains: readonly string[];
  /** How paths of its requests are brought into one form. Absent: `strict`, as for calls by a service's mesh name. */
  readonly pathLevel?: PathLevel;
}

/** What every host needs: who the mesh is, whose signatures count, which doors are open. */
export interface DirectoryUnit {
  readonly kind: "directory";
  readonly trustDomain: string;
  readonly keys: readonly VerificationKey[];
  readonly listeners: readonly Listener[];
  /** Root certificates of the mesh, DER in base64: what client and server certificates lead to. Absent: none yet. */
  readonly roots?: readonly string[];
  /** Absent: nothing is revoked. */
  readonly revoked?: Revocations;
}

/** Tokens and certificates that count no longer. What would have expired anyway is not in it. */
export interface Revocations {
  /** `jti` of tokens and serial numbers of certificates, in hex. */
  readonly ids: readonly string[];
  /** SPIFFE ids whose proofs do not count if they were issued before a time, in milliseconds since the epoch. */
  readonly identities: readonly { readonly subject: string; readonly before: number }[];
}

/** The routes of one listener for one host name. */
export interface VirtualHostUnit {
  readonly kind: "virtual-host";
  readonly routes: RouteSet;
  /** Policies that are about the gateway itself. */
  readonly authorization: Authorization;
  /** How the gateway verifies the tokens of end users. Absent: not at all. */
  readonly users?: readonly JwtRule[];
}

export interface ServicePort {
  readonly name: string;
  readonly port: number;
}

/**
 * `strict` refuses a call without a proven caller, `permissive` takes it as
 * one from nobody. `disabled` takes every call as one from nobody: who calls
 * is not looked at.
 */
export type PeerMode = "strict" | "permissive" | "disabled";

/** What is asked of the mesh's own tokens beyond being valid. */
export interface TokenPolicy {
  /** Operations to which one token lets one call through. Absent: none. */
  readonly once?: readonly OperationMatch[];
  /** A token proves its caller only with the client certificate that it names. */
  readonly isBound?: true;
}

/** The policies that protect the endpoints of one workload. */
export interface InboundPolicy {
  readonly peer: PeerMode;
  /** For calls to single ports of its services, instead of `peer`. Absent: for none. */
  readonly peerPorts?: readonly { readonly port: number; readonly mode: PeerMode }[];
  /** Absent: a token counts until it expires, whoever shows it. */
  readonly tokens?: TokenPolicy;
  /** How the tokens of end users are verified. Absent: they are not looked at. */
  readonly users?: readonly JwtRule[];
  readonly authorization: Authorization;
  readonly limits: readonly RateLimit[];
  /** What goes wrong on purpose once a call is admitted. Absent: nothing. */
  readonly faults?: readonly Fault[];
  /** How a host that sees all calls of the workload protects it. Absent: not at all. */
  readonly overload?: OverloadPolicy;
}

/** Routes for calls to a service (GAMMA). */
export interface ServiceRoutes {
  /** Only for calls to this port; `null` for all. */
  readonly port: number | null;
  /** Only for callers of this namespace (consumer routes); `null` for all. */
  readonly consumerNamespace: string | null;
  readonly routes: RouteSet;
}

/** How callers reach a service. Compiled with defaults filled in. */
export interface TrafficPolicy {
  readonly loadBalancing: LoadBalancing;
  readonly timeouts: Timeouts;
  readonly retry: RetryPolicy;
  readonly circuit: CircuitPolicy;
  /** Below this share of usable endpoints all are used (Envoy's panic threshold), 0..1. */
  readonly panicRatio: number;
  /** `null`: no call is sent a second time before the first has failed. */
  readonly hedge: HedgePolicy | null;
  /** Keeps a client's session at one endpoint; a route's own takes its place. `null`: sessions are not kept. */
  readonly affinity: SessionPersistence | null;
  /** Absent: off, as in Istio. */
  readonly outlier?: OutlierPolicy;
  /** Absent: no limits, as in Istio. */
  readonly concurrency?: ConcurrencyPolicy;
  /** Absent: `DEFAULT_LOCALITY`. */
  readonly locality?: LocalityPolicy;
  /** Who answers when too few endpoints are left, in order. Absent: nobody. */
  readonly failover?: readonly FailoverTarget[];
}

/** Another service, or a subset, that stands in. */
export interface FailoverTarget {
  /** `namespace/name`. */
  readonly service: string;
  readonly subset?: string;
}

/** Some of a service's endpoints, named so that routes can send to them alone. */
export interface Subset {
  /** Ids of its endpoints, in the order of the service's. */
  readonly endpoints: readonly string[];
  /** What holds for it instead of the service's, with that filled in; `null`: the service's as it is. */
  readonly traffic: TrafficPolicy | null;
}

export interface ServiceUnit {
  readonly kind: "service";
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly ServicePort[];
  readonly endpoints: readonly Endpoint[];
  /** Distinct policy sets; `Endpoint.inbound` points here. Never empty. */
  readonly inbound: readonly InboundPolicy[];
  /** In the order in which they are tried: more specific first. */
  readonly routes: readonly ServiceRoutes[];
  readonly traffic: TrafficPolicy;
  /** By name. A route to a name that is not here finds no endpoint. */
  readonly subsets: Readonly<Record<string, Subset>>;
}

/** What a callee that runs the inbound half itself needs: its own policies. */
export interface WorkloadUnit {
  readonly kind: "workload";
  /** `namespace/service account`: the audience of tokens sent to it. */
  readonly workload: string;
  /**
   * The ports of its services, of each in order: a port that none of them has means the first, as at the edge.
   * Absent: it has none, or is of a release that did not tell.
   */
  readonly ports?: readonly number[];
  readonly inbound: InboundPolicy;
}

export type Unit = DirectoryUnit | VirtualHostUnit | ServiceUnit | WorkloadUnit;

/** `directory`, `host:<listener id>#<domain>`, `service:<namespace>/<name>` or `workload:<namespace>/<endpoint>`. */
export type UnitKey = string;

export const DIRECTORY: UnitKey = "directory";

/** The key of a service's unit; `service` is `namespace/name`. */
export function serviceKey(service: string): UnitKey {
  return `service:${service}`;
}

/** The key of a listener's virtual host for one of its domains. */
export function virtualHostKey(listener: string, domain: string): UnitKey {
  return `host:${listener}#${domain}`;
}

/** The key of a workload's unit; `endpoint` is `namespace/name` of its Endpoint resource. */
export function workloadKey(endpoint: string): UnitKey {
  return `workload:${endpoint}`;
}
