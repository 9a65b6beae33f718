/**
 * What the objects and the mesh's entrypoint answer over RPC. Changes are
 * additive: an object may run the previous release's code for minutes after
 * a deploy.
 *
 * @module
 */
import type { Address, Health } from "../engine/endpoint.ts";
import type { HealthCheck, Verdict } from "../engine/health-check.ts";
import type { Locality } from "../engine/locality.ts";
import type { OutcomeCounts } from "../engine/outlier-counts.ts";
import type { Ejection, OutlierPolicy } from "../engine/outlier.ts";
import type { Revocations, Unit, UnitKey, VerificationKey } from "../engine/snapshot.ts";
import type { Rate } from "../engine/limit.ts";
import type { Ask, Grant } from "../engine/limit-lease.ts";
import type { ChainPage, ChainRequest } from "./audit-chain.ts";
import type { CallReport, CallSeries, HostCounters } from "./call-record.ts";
import type { PolicyPreview } from "./policy-preview.ts";
import type { Outcome } from "./problem.ts";
import type { RecordedCall } from "./recorded-call.ts";
import type { Resource, ResourceRef } from "./resource.ts";

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

// Registry ------------------------------------------------------------------

export interface ApplyRequest {
  /** Documents as they came: plain JSON, not yet validated. */
  readonly documents: readonly unknown[];
  /** For documents that name none. */
  readonly defaultNamespace?: string;
  /** Validates and answers as if applied; changes nothing. */
  readonly dryRun?: boolean;
  /** Applies only if this is the current revision (412 `config.revision` otherwise). */
  readonly ifRevision?: number;
  /** Deletes every resource of the mesh that is not among the documents. */
  readonly prune?: boolean;
  /** Who asks: kept with the revision. */
  readonly author: string;
  readonly via?: Via;
  /** The only namespaces of which something may change, pruning included (403 `admin.forbidden` otherwise). Absent: all. */
  readonly namespaces?: readonly string[];
}

export type ChangeKind = "created" | "configured" | "unchanged" | "deleted";

export interface Change {
  readonly ref: ResourceRef;
  readonly change: ChangeKind;
}

export interface ApplyAnswer {
  /** The revision in force; the current one when nothing changed or on a dry run. */
  readonly revision: number;
  readonly changes: readonly Change[];
  /** Not errors, but probably not what was meant: a backend that does not exist yet, a selector without endpoints. */
  readonly warnings: readonly string[];
}

export interface Revision {
  readonly revision: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly author: string;
  /** `apply`, `delete` or `rollback to N`. */
  readonly reason: string;
  /** How the change came in; absent from revisions of a release before. */
  readonly via?: Via;
  readonly changes: readonly Change[];
}

/** Of which revisions to tell. A registry of a release before tells of all. */
export interface RevisionFilter {
  /** Only those with smaller numbers. */
  readonly before?: number;
  /** Only those made before this time, in milliseconds since the epoch. */
  readonly until?: number;
  readonly author?: string;
  /** Only those that changed something in these namespaces, or in none. */
  readonly namespaces?: readonly string[];
  /** Of each only so many of its changes. Absent: all. */
  readonly changesOfEach?: number;
}

/** One resource between two revisions; `null` where it does not exist. */
export interface Difference {
  readonly ref: ResourceRef;
  readonly before: Resource | null;
  readonly after: Resource | null;
}

export interface ListRequest {
  readonly kind?: string;
  readonly namespace?: string;
}

export interface SyncRequest {
  /** The version of the host's snapshot; 0 for none. */
  readonly version: number;
  /** Units that the host holds, or knows not to exist: told when they changed since `version`. */
  readonly held: readonly UnitKey[];
  /** Units that the host wants and does not hold: always answered, with the units that they refer to. */
  readonly wanted: readonly UnitKey[];
  /**
   * How long the answer may wait for something to change, in milliseconds, up to 30,000. Absent: not at
   * all. Without meaning where `wanted` is not empty; a release that does not know it answers at once.
   */
  readonly waitMs?: number;
}

export interface SyncAnswer {
  readonly version: number;
  readonly units: readonly (readonly [UnitKey, Unit])[];
  /** Units that do not exist (any more). */
  readonly missing: readonly UnitKey[];
  /**
   * Set where the registry could not be asked and its store was: the units are as they were at `version` or later,
   * which may lie below that of the host, and what is neither among them nor missing is not known. Only for what is
   * wanted; absent from the registry's own answers.
   */
  readonly stored?: StoredMark;
}

export interface StoredMark {
  /** Entries of the store that were not believed: of another signature, another key or an unknown form. */
  readonly refused: number;
}

/** An endpoint that registered itself, as the health object publishes it. */
export interface RegisteredEndpoint {
  readonly id: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly health: Health;
  readonly isJoined: boolean;
  readonly serviceAccount: string | null;
  /** When it registered, in milliseconds since the epoch, for a slow start; absent when that is not known. */
  readonly since?: number;
  readonly locality?: Locality;
}

/** What active checks say of an endpoint of any source; one that is not told has the check's initial state. */
export interface CheckedEndpoint extends Verdict {
  readonly id: string;
}

/** The whole published state of one service's endpoints; an older `sequence` is ignored. */
export interface EndpointPublication {
  readonly service: string;
  readonly sequence: number;
  /** Those that have registered. */
  readonly endpoints: readonly RegisteredEndpoint[];
  /** Absent from a release that does not check; what was told before then stays. */
  readonly checked?: readonly CheckedEndpoint[];
  /** Ejections by pooled outlier detection that have not run out; what was told before is replaced. */
  readonly ejections?: readonly Ejection[];
}

/** The endpoints that the mesh's shared circuit has taken out; an older `sequence` is ignored. */
export interface EjectionPublication {
  readonly service: string;
  readonly sequence: number;
  readonly ejected: readonly string[];
}

export interface KeyPublication {
  readonly sequence: number;
  readonly keys: readonly VerificationKey[];
}

/** Everything that hosts need to check proofs with; an older `sequence` is ignored. */
export interface TrustPublication extends KeyPublication {
  /** Root certificates, DER in base64. */
  readonly roots: readonly string[];
  readonly revoked: Revocations;
}

/** A service as people ask for it. */
export interface ServiceStatus {
  readonly namespace: string;
  readonly name: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly {
    readonly id: string;
    readonly address: string;
    readonly version: string;
    readonly weight: number;
    readonly health: Health;
    readonly isEjected: boolean;
    readonly source: "declared" | "registered";
  }[];
}

export interface MeshStatus {
  readonly trustDomain: string;
  readonly revision: number;
  readonly version: number;
  readonly resources: number;
  readonly services: number;
  readonly endpoints: number;
  readonly healthyEndpoints: number;
  /** Services of which endpoints are ejected, and how many. Absent: none. */
  readonly ejected?: readonly { readonly service: string; readonly endpoints: number }[];
  /** Absent from a release that keeps no copies. */
  readonly store?: StoreStatus;
  /** Told by the admin API, which asks another object for it; absent where that does not answer. */
  readonly isolates?: IsolatesStatus;
}

/** The copies of compiled units outside of the registry. */
export type StoreStatus =
  | {
      readonly kind: "on";
      /** All units up to this version are stored. */
      readonly version: number;
      /** When that was last true of everything, in milliseconds since the epoch; 0 for never. */
      readonly checkedAt: number;
      /** Attempts to store in a row that failed. */
      readonly failures: number;
    }
  /** Nothing is stored: the Worker has no KV namespace `SNAPSHOTS`, or no secret to sign with. */
  | { readonly kind: "off"; readonly why: "no-namespace" | "no-secret" };

/** A change that is looked at and not made. */
export interface PreviewRequest extends Pick<
  ApplyRequest,
  "documents" | "defaultNamespace" | "ifRevision" | "prune" | "namespaces"
> {
  /** Resources that are deleted besides. */
  readonly refs: readonly ResourceRef[];
  /** The units that matter. */
  readonly units: readonly UnitKey[];
}

export interface RegistryApi {
  apply(request: ApplyRequest): Promise<Outcome<ApplyAnswer>>;
  /** What a change would make of policies. */
  preview(request: PreviewRequest): Promise<Outcome<PolicyPreview>>;
  remove(refs: readonly ResourceRef[], author: string, via?: Via): Promise<Outcome<ApplyAnswer>>;
  list(request: ListRequest): Promise<readonly Resource[]>;
  get(ref: ResourceRef): Promise<Outcome<Resource>>;
  /** Newest first; 1,000 at most, fewer when they have very many changes. */
  revisions(limit: number, filter?: RevisionFilter): Promise<readonly Revision[]>;
  /** The revisions as a log that can be checked. */
  chain(request: ChainRequest): Promise<ChainPage>;
  diff(from: number, to: number): Promise<Outcome<readonly Difference[]>>;
  rollback(revision: number, author: string, via?: Via): Promise<Outcome<ApplyAnswer>>;
  services(namespace: string | null): Promise<readonly ServiceStatus[]>;
  status(): Promise<MeshStatus>;
  sync(request: SyncRequest): Promise<SyncAnswer>;
  publishEndpoints(publication: EndpointPublication): Promise<void>;
  publishEjections(publication: EjectionPublication): Promise<void>;
  /** What authorities of a release without certificates publish. */
  publishKeys(publication: KeyPublication): Promise<void>;
  publishTrust(publication: TrustPublication): Promise<void>;
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

// Authority -----------------------------------------------------------------
// The rest of what it answers is in `authority-rpc.ts`.

export interface IssueRequest {
  /** `namespace/name`: the workload, already proved by the caller of this method. */
  readonly workload: string;
  /** A SPIFFE id of a workload, or of the mesh itself (`spiffe://<trust-domain>`). */
  readonly audience: string;
  /** 10 to 3,600 seconds; 300 unless given. */
  readonly ttlSeconds?: number;
  /** Set by the edge: it has run the inbound half for every call that carries the token. */
  readonly isAdmitted?: boolean;
  /** Who asks, and by what proof: kept in the audit. Absent: nobody said. */
  readonly requester?: string;
  /** Thumbprint (`x5t#S256`) of the certificate that the token is to be bound to. Absent: to none. */
  readonly boundTo?: string;
}

export interface IssuedToken {
  readonly token: string;
  readonly id: string;
  readonly subject: string;
  /** Milliseconds since the epoch; absent from an authority of the release before. */
  readonly issuedAt?: number;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Thumbprint of the certificate that it is bound to. Absent: none, or the authority is of the release before and binds nothing. */
  readonly boundTo?: string;
}

// Telemetry -----------------------------------------------------------------

export interface TopologyEdge {
  readonly source: string;
  readonly destination: string;
  readonly version: string;
  readonly requestsPerSecond: number;
  /** Share of answers below 500, 0..1. */
  readonly successRatio: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Topology {
  /** The window that rates and latencies cover. */
  readonly windowMs: number;
  readonly nodes: readonly string[];
  readonly edges: readonly TopologyEdge[];
}

export interface TelemetryTotals {
  readonly series: readonly CallSeries[];
  readonly host: HostCounters;
}

/** The isolates that have reported within the last minute. */
export interface IsolatesStatus {
  readonly current: number;
  /** Those that carried calls by configuration that the registry had not confirmed for a second. */
  readonly stale: number;
  /** The smallest version among them; `null` for none. A small one may be current: nothing of what it uses has changed since. */
  readonly oldestVersion: number | null;
}

export interface TelemetryApi {
  report(report: CallReport): Promise<void>;
  totals(): Promise<TelemetryTotals>;
  /** Only isolates of a release that tells of its configuration are counted. */
  isolates(): Promise<IsolatesStatus>;
  topology(): Promise<Topology>;
  /** Of what units calls were recorded; of some namespaces, or of all (`null`). */
  recordedUnits(namespaces: readonly string[] | null): Promise<readonly CallsOfUnit[]>;
  recordedCalls(units: readonly UnitKey[]): Promise<readonly StoredCall[]>;
}

/** How many distinct calls are recorded of a unit. */
export interface CallsOfUnit {
  readonly unit: UnitKey;
  readonly calls: number;
}

/** A recorded call and those like it. */
export interface StoredCall {
  readonly call: RecordedCall;
  /** How many were recorded: fewer than were made. */
  readonly calls: number;
  /** When the last of them was, in milliseconds since the epoch. */
  readonly seenAt: number;
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
