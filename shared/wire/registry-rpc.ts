/**
 * What the registry answers over RPC. Changes are additive, as in `rpc.ts`.
 *
 * @module
 */
import type { Health } from "../engine/endpoint.ts";
import type { Verdict } from "../engine/health-check.ts";
import type { Locality } from "../engine/locality.ts";
import type { Ejection } from "../engine/outlier.ts";
import type { Revocations, Unit, UnitKey, VerificationKey } from "../engine/snapshot.ts";
import type { ChainPage, ChainRequest } from "./audit-chain.ts";
import type { PolicyPreview } from "./policy-preview.ts";
import type { Outcome } from "./problem.ts";
import type { Resource, ResourceRef } from "./resource.ts";
import type { Via } from "./rpc.ts";
import type { IsolatesStatus } from "./telemetry-rpc.ts";

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
