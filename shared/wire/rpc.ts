/**
 * What the mesh's entrypoint and the objects that serve calls answer over RPC;
 * those of the registry, the authority, telemetry and the admin plane have
 * files of their own. Changes are additive: an object may run the previous
 * release's code for minutes after a deploy.
 *
 * @module
 */
import type { Address } from "../engine/endpoint.ts";
import type { HealthCheck } from "../engine/health-check.ts";
import type { Ask, Grant } from "../engine/limit-lease.ts";
import type { Rate } from "../engine/limit.ts";
import type { Locality } from "../engine/locality.ts";
import type { OutcomeCounts } from "../engine/outlier-counts.ts";
import type { OutlierPolicy } from "../engine/outlier.ts";
import type { IssuedToken } from "./authority-rpc.ts";
import type { CallReport } from "./call-record.ts";
import type { Outcome } from "./problem.ts";
import type { SyncAnswer, SyncRequest } from "./registry-rpc.ts";

/** Who asks, and from where: what the audit log keeps of every change. */
export interface Origin extends Via {
  /** `Principal.id`. */
  readonly principal: string;
}

/** The way of a request to the admin API. */
export interface Via {
  /** The client's address; empty when nobody told it. */
  readonly address: string;
  readonly requestId: string;
}

// Health --------------------------------------------------------------------

export interface Registration {
  /** Chosen by the caller, so that registering again is the same endpoint. */
  readonly id: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly serviceAccount: string | null;
  readonly isJoined: boolean;
  /** The lease: without a heartbeat for this long the endpoint lapses. 5,000 to 3,600,000. */
  readonly ttlMs: number;
  readonly locality?: Locality;
}

export interface Lease {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** How often to beat: a third of the lease. */
  readonly heartbeatEveryMs: number;
  /** Whether the registry had to hear of it: not of a mere renewal. Absent from answers of a release before. */
  readonly isChanged?: boolean;
}

/** An endpoint to be checked. */
export interface CheckTarget {
  /** Its id in the service. */
  readonly id: string;
  readonly address: Address;
}

/** What to check of a service, by its policy and its endpoints. */
export interface CheckPlan {
  readonly check: HealthCheck;
  /** By id. */
  readonly targets: readonly CheckTarget[];
}

/** The registry's word on what is to be checked; an older `sequence` is ignored. */
export interface CheckOrder {
  readonly sequence: number;
  /** `null` ends the checks. */
  readonly plan: CheckPlan | null;
  /** By what outcomes are pooled; absent ends that. */
  readonly outlier?: OutlierOrder;
}

export interface OutlierOrder {
  readonly policy: OutlierPolicy;
  /** Ids of the service's endpoints: those that are not among them are not counted. */
  readonly endpoints: readonly string[];
}

/** What one host saw of a service's endpoints since its last report. */
export interface OutcomeReport {
  /** Names the isolate; with `sequence` it makes a report's delivery idempotent. */
  readonly reporter: string;
  /** Grows with each of the reporter's reports of the service. */
  readonly sequence: number;
  readonly counts: readonly OutcomeCounts[];
}

export interface HealthApi {
  /** `service` is `namespace/name`, the object's own name. */
  register(service: string, registration: Registration): Promise<Outcome<Lease>>;
  heartbeat(service: string, id: string): Promise<Outcome<Lease>>;
  deregister(service: string, id: string): Promise<Outcome<null>>;
  leases(service: string): Promise<readonly Lease[]>;
  /** Keeps new calls from a registered endpoint until it registers anew; its heartbeats go on. */
  drain(service: string, id: string): Promise<Outcome<Lease>>;
  /** Takes over what to check. Repeating an order changes nothing. */
  configure(service: string, order: CheckOrder): Promise<void>;
  /** Pools what hosts saw; ejects for all of them what the service's outlier detection finds, if more than one host saw it. */
  reportOutcomes(service: string, report: OutcomeReport): Promise<void>;
}

// Circuit -------------------------------------------------------------------

/** What one host saw of one endpoint's circuit. */
export interface CircuitReport {
  readonly endpoint: string;
  /** Names the isolate. */
  readonly reporter: string;
  readonly state: "open" | "closed";
  /** Until its next probe. The report counts for twice as long, and a minute at least; absent: a minute. */
  readonly openForMs?: number;
}

export interface CircuitApi {
  /** Folds transitions seen by a host; publishes an ejection once enough reporters agree. */
  report(service: string, reports: readonly CircuitReport[]): Promise<void>;
  /**
   * Grants the half-open probe of an endpoint to one reporter at a time.
   * `forMs`: how long the grant excludes others; 5,000 unless given, 100 to 300,000.
   */
  claimProbe(service: string, endpoint: string, reporter: string, forMs?: number): Promise<boolean>;
}

// Rate limit ----------------------------------------------------------------

export interface TakeRequest {
  readonly policy: string;
  readonly key: string;
  readonly rate: Rate;
  /** Calls to charge at once; 1 unless a caller batches. */
  readonly cost: number;
}

export interface Taken {
  readonly isAdmitted: boolean;
  readonly remaining: number;
  readonly retryAfterMs: number;
  /** Until the whole burst is there again; absent from an object that still runs the release before. */
  readonly resetMs?: number;
}

export interface LeaseRequest {
  readonly policy: string;
  readonly key: string;
  readonly rate: Rate;
  readonly ask: Ask;
}

export interface RateLimitApi {
  take(request: TakeRequest): Promise<Taken>;
  /** Grants calls ahead, fewer than asked for where they are used up, and takes back what was granted before. */
  lease(request: LeaseRequest): Promise<Grant>;
}

// Replay --------------------------------------------------------------------

/** A verified token that is to count once. */
export interface SpendRequest {
  /** The token's `aud`. */
  readonly audience: string;
  /** The token's `jti`, at most 128 characters. */
  readonly id: string;
  /** The token's `exp`, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

export interface Spent {
  /**
   * `spent`: it was not before, and is from now on. `replayed`: it was before,
   * or has run out. `full`: there is no room to remember it, so it is not.
   */
  readonly kind: "spent" | "replayed" | "full";
}

export interface ReplayApi {
  /** Spends a token. However many ask at once, one of them hears `spent`. */
  spend(request: SpendRequest): Promise<Spent>;
}

// The mesh's entrypoint -----------------------------------------------------

/** The props of a Worker's binding to the mesh: who it is. Set by whoever deploys the Worker. */
export interface MeshProps {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** What a joined Worker's `MESH` binding offers besides `fetch`. */
export interface MeshApi {
  sync(request: SyncRequest): Promise<SyncAnswer>;
  report(report: CallReport): Promise<void>;
  reportCircuits(service: string, reports: readonly CircuitReport[]): Promise<void>;
  claimProbe(service: string, endpoint: string, reporter: string, forMs?: number): Promise<boolean>;
  reportOutcomes(service: string, report: OutcomeReport): Promise<void>;
  take(request: TakeRequest): Promise<Taken>;
  lease(request: LeaseRequest): Promise<Grant>;
  /** Only for tokens whose audience is the caller of the binding. */
  spend(request: SpendRequest): Promise<Spent>;
  /** A token for the caller of the binding; its identity comes from the binding's props alone. */
  token(audience: string): Promise<Outcome<IssuedToken>>;
}
