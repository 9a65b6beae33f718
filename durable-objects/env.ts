/**
 * The bindings of the mesh's Worker, as `wrangler.toml` declares them.
 *
 * @module
 */
import type { AuthorityApi } from "../shared/wire/authority-rpc.ts";
import type { AdminApi } from "../shared/wire/admin-rpc.ts";
import type { RegistryApi } from "../shared/wire/registry-rpc.ts";
import type { CircuitApi, HealthApi, RateLimitApi, ReplayApi } from "../shared/wire/rpc.ts";
import type { TelemetryApi } from "../shared/wire/telemetry-rpc.ts";
import type { AdminObject } from "./admin-object.ts";
import type { AuthorityObject } from "./authority-object.ts";
import type { CircuitObject } from "./circuit-object.ts";
import type { HealthObject } from "./health-object.ts";
import type { RateLimitObject } from "./rate-limit-object.ts";
import type { RegistryObject } from "./registry-object.ts";
import type { ReplayObject } from "./replay-object.ts";
import type { TelemetryObject } from "./telemetry-object.ts";

/** Objects per policy: one serves up to 1,000 calls a second. Changing it moves keys, which refills their buckets once. */
const RATE_LIMIT_SHARDS = 8;

/** Objects per audience of tokens that count once. Changing it lets tokens that are out then count once more. */
const REPLAY_SHARDS = 16;

export interface Env {
  readonly REGISTRY: DurableObjectNamespace<RegistryObject>;
  readonly HEALTH: DurableObjectNamespace<HealthObject>;
  readonly CIRCUIT: DurableObjectNamespace<CircuitObject>;
  readonly RATE_LIMIT: DurableObjectNamespace<RateLimitObject>;
  readonly REPLAY: DurableObjectNamespace<ReplayObject>;
  readonly AUTHORITY: DurableObjectNamespace<AuthorityObject>;
  readonly ADMIN: DurableObjectNamespace<AdminObject>;
  readonly TELEMETRY: DurableObjectNamespace<TelemetryObject>;
  readonly SELVEDGE_TRUST_DOMAIN: string;
  readonly SELVEDGE_MESH_DOMAIN: string;
  readonly SELVEDGE_ADMIN_HOSTS: string;
  readonly SELVEDGE_PRIVATE_ENDPOINTS: "allow" | "deny";
  /** SHA-256 of the admin token, in hex: a secret. Without it the admin API refuses everybody. */
  readonly SELVEDGE_ADMIN_TOKEN_SHA256?: string;
  /** Which namespaces' editors may use a binding in Endpoints: JSON, `{"CART": ["shop"]}`. Admins may use all. */
  readonly SELVEDGE_BINDING_NAMESPACES?: string;
  /** Issuers of OpenID Connect whose tokens the admin API takes: JSON, see docs/admin-api.md. */
  readonly SELVEDGE_ADMIN_OIDC?: string;
  /** Clusters of Kubernetes whose service accounts may join, as JSON; none unless set. */
  readonly SELVEDGE_WORKLOAD_ISSUERS?: string;
  /** Share of calls with a line in the access log, 0..1; 0.01 unless set. */
  readonly SELVEDGE_LOG_SAMPLE?: string;
  /** Proxies before the platform whose `x-forwarded-for` is believed; 0 unless set. */
  readonly SELVEDGE_TRUSTED_HOPS?: string;
  /** Where the edge is, `region` or `region/zone`; what the platform tells of requests unless set. */
  readonly SELVEDGE_LOCALITY?: string;
  /** `off`: no calls are recorded for simulations, and what joined Workers record is dropped. */
  readonly SELVEDGE_RECORD_CALLS?: string;
  /** Where the registry keeps copies of compiled units, for hosts that start while it is out of reach. */
  readonly SNAPSHOTS?: KVNamespace;
  /** How old these copies may be, as a duration such as `24h`, the default. */
  readonly SELVEDGE_SNAPSHOT_MAX_AGE?: string;
  /** The dispatch namespace of endpoints `dispatch:NAME`. */
  readonly DISPATCH?: DispatchNamespace;
}

/** The one registry of the mesh. A new stub for every call: a stub stays broken after an error. */
export function registryOf(env: Env): RegistryApi {
  return asApi(env.REGISTRY.getByName("mesh"));
}

/** The admin plane's own state. */
export function adminOf(env: Env): AdminApi {
  return asApi(env.ADMIN.getByName("mesh"));
}

/** The authority of the mesh's trust domain. */
export function authorityOf(env: Env): AuthorityApi {
  return asApi(env.AUTHORITY.getByName(env.SELVEDGE_TRUST_DOMAIN));
}

/** The health object of a service, `namespace/name`. */
export function healthOf(env: Env, service: string): HealthApi {
  return asApi(env.HEALTH.getByName(service));
}

/** The circuit object of a service, `namespace/name`. */
export function circuitOf(env: Env, service: string): CircuitApi {
  return asApi(env.CIRCUIT.getByName(service));
}

/** The object that keeps a policy's bucket of this key. Keys are spread over a fixed number of objects. */
export function rateLimitOf(env: Env, policy: string, key: string): RateLimitApi {
  return asApi(env.RATE_LIMIT.getByName(`${policy}#${hashOf(key) % RATE_LIMIT_SHARDS}`));
}

/**
 * The object that remembers whether a token was spent. Each audience has its
 * own, so that whoever may spend for one cannot fill up those of another.
 */
export function replayOf(env: Env, audience: string, id: string): ReplayApi {
  return asApi(env.REPLAY.getByName(`${audience}#${hashOf(id) % REPLAY_SHARDS}`));
}

/** The telemetry object that isolates report to. */
export function telemetryOf(env: Env): TelemetryApi {
  return asApi(env.TELEMETRY.getByName("0"));
}

/** Whether calls are recorded for simulations. */
export function recordsCalls({ SELVEDGE_RECORD_CALLS }: Env): boolean {
  return SELVEDGE_RECORD_CALLS !== "off";
}

/** FNV-1a, 32 bits: spreads keys evenly; nothing secret depends on it. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * The platform's type of a stub loses what crosses it (`unknown` becomes `never`, tuples become
 * arrays), though plain data arrives as it was sent. So a stub is typed by the contract instead.
 */
function asApi<Api>(stub: unknown): Api {
  return stub as Api;
}
