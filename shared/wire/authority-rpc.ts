/**
 * What the authority answers over RPC. Changes are additive, as in `rpc.ts`.
 * Instants are milliseconds since the epoch, certificates DER in base64.
 *
 * @module
 */
import type { VerificationKey } from "../engine/snapshot.ts";
import type { ChainPage, ChainRequest } from "./audit-chain.ts";
import type { Outcome } from "./problem.ts";

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

export interface CertificateRequest {
  /** `namespace/name`: the workload, already proved by the caller of this method. */
  readonly workload: string;
  /** A request (PKCS #10) in PEM. Nothing but its key is taken from it. */
  readonly csr: string;
  /** 600 to 604,800 seconds; a day unless given. */
  readonly ttlSeconds?: number;
  /** Who asks, and by what proof: kept in the audit. */
  readonly requester: string;
}

export interface IssuedCertificate {
  readonly certificate: string;
  /** What a peer needs to get from the certificate to a root of the bundle, in order. */
  readonly chain: readonly string[];
  /** In hex. */
  readonly serial: string;
  readonly subject: string;
  readonly notBefore: number;
  readonly expiresAt: number;
}

export interface RootStatus {
  /** SHA-256 of the certificate, in hex. */
  readonly id: string;
  readonly state: "next" | "current" | "previous";
  /** Made here, or loaded. */
  readonly source: "own" | "upstream";
  readonly notAfter: number;
  /** When it begins to count for what is issued; `null` unless it is next and published. */
  readonly takesOverAt: number | null;
  /** When it leaves the bundle; `null` unless it is a previous one. */
  readonly leavesAt: number | null;
}

export interface IntermediateStatus {
  /** SHA-256 of the certificate, in hex. */
  readonly id: string;
  readonly rootId: string;
  readonly notAfter: number;
  /** When another takes its place by itself; `null` for one that was loaded. */
  readonly renewsAt: number | null;
}

export interface AuthorityStatus {
  readonly trustDomain: string;
  readonly roots: readonly RootStatus[];
  readonly intermediate: IntermediateStatus;
  readonly signingKeys: readonly { readonly kid: string; readonly state: "next" | "current" | "previous" }[];
  /** Lines of the audit, and revocations that still matter. */
  readonly issued: number;
  readonly revoked: number;
  /** The bundle's sequence, and whether hosts can have it. */
  readonly sequence: number;
  readonly isPublished: boolean;
  /** What somebody should look after, in sentences. */
  readonly warnings: readonly string[];
}

/** Everything that proofs of the mesh are checked with. */
export interface TrustMaterial {
  /** Follows the clock: a larger one is newer. */
  readonly sequence: number;
  readonly roots: readonly {
    readonly certificate: string;
    /** As a JWK, with the members of its kind of key. */
    readonly publicJwk: Readonly<Record<string, string>>;
  }[];
  readonly keys: readonly VerificationKey[];
}

export type Rotation = "signing-key" | "intermediate" | "root";

export interface LoadRequest {
  /** PEM: the intermediate, its issuers, and the root at the end. */
  readonly chain: string;
  /** PEM: the intermediate's key, PKCS #8, not encrypted. */
  readonly key: string;
}

export interface RevokeRequest {
  readonly kind: "serial" | "jti" | "identity";
  /** A serial number in hex, a `jti`, or `namespace/service-account`. */
  readonly value: string;
  readonly reason: string;
  /** Who asks: kept with the revocation. */
  readonly author: string;
}

export interface Revocation {
  readonly kind: RevokeRequest["kind"];
  /** As hosts see it: for an identity, its SPIFFE id. */
  readonly value: string;
  /** Of an identity: what was issued before counts no longer. */
  readonly before: number | null;
  readonly reason: string;
  readonly author: string;
  readonly at: number;
  /** Until when it matters: what it revokes has expired by then. */
  readonly until: number;
  /** Whether the audit knows what was issued under the name. */
  readonly isKnown: boolean;
}

export interface AuditRequest {
  /** 1 to 1,000. */
  readonly limit: number;
  /** Lines older than the one with this number. */
  readonly before?: number;
  /** `namespace/service-account`. */
  readonly workload?: string;
}

export interface AuditLine {
  /** Counts the lines; larger is later. */
  readonly number: number;
  readonly kind: "jwt-svid" | "x509-svid";
  /** The `jti` or the serial number. */
  readonly id: string;
  readonly subject: string;
  /** Of a token; empty for a certificate. */
  readonly audience: string;
  /** The key or the intermediate that signed. */
  readonly issuer: string;
  readonly requester: string;
  readonly at: number;
  readonly expiresAt: number;
  /** Of a token: the certificate that it is bound to, `certificate/<serial>` or `thumbprint/<x5t#S256>`. Absent: none. */
  readonly boundTo?: string;
  /** With which the chain of the log goes on; absent from lines that no chain covers. */
  readonly hash?: string;
}

export interface JoinTokenRequest {
  /** `namespace/service-account`, or `namespace/prefix*` for any whose name begins so. */
  readonly scope: string;
  /** 60 to 604,800 seconds. */
  readonly ttlSeconds: number;
  readonly author: string;
}

/** A token with which one workload joins, once. */
export interface JoinToken {
  readonly id: string;
  readonly scope: string;
  readonly author: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  /** Who joined with it, and when; `null` while it has not been used. */
  readonly usedBy: string | null;
  readonly usedAt: number | null;
}

export interface GrantedJoinToken extends JoinToken {
  /** Told this once. */
  readonly token: string;
}

export interface JoinRequest {
  readonly token: string;
  /** `namespace/service-account`; may be left out where the token is for one alone. */
  readonly workload?: string;
  /** For a certificate: a request (PKCS #10) in PEM. */
  readonly csr?: string;
  readonly certificateTtlSeconds?: number;
  /** For a token: whom it is for, a SPIFFE id. */
  readonly audience?: string;
  /** Binds the token to the certificate of the same answer, else to the one that is the proof. Absent: to none. */
  readonly isBound?: boolean;
}

export interface RenewRequest extends Omit<JoinRequest, "token"> {
  /** A JWT that is signed with the key of a certificate which has not expired. */
  readonly assertion: string;
}

/** What a workload got; `null` what it did not ask for. */
export interface Joined {
  readonly certificate: IssuedCertificate | null;
  readonly token: IssuedToken | null;
}

export interface AuthorityApi {
  issue(request: IssueRequest): Promise<Outcome<IssuedToken>>;
  certify(request: CertificateRequest): Promise<Outcome<IssuedCertificate>>;
  keys(): Promise<readonly VerificationKey[]>;
  bundle(): Promise<TrustMaterial>;
  status(): Promise<AuthorityStatus>;
  /** As `turn("signing-key")`: what the release before certificates asks. */
  rotate(): Promise<readonly VerificationKey[]>;
  /**
   * Asks for a rotation. An intermediate changes at once; a signing key or a
   * root as soon as verifiers have had the time to learn of the next one.
   */
  turn(what: Rotation): Promise<Outcome<AuthorityStatus>>;
  /** Signs with another authority's intermediate from now on, or as soon as verifiers know its root. */
  load(request: LoadRequest): Promise<Outcome<AuthorityStatus>>;
  revoke(request: RevokeRequest): Promise<Outcome<Revocation>>;
  /** Those that still matter, newest first. */
  revocations(): Promise<readonly Revocation[]>;
  /** Newest first. */
  audit(request: AuditRequest): Promise<Outcome<readonly AuditLine[]>>;
  /** The log as it can be checked. */
  chain(request: ChainRequest): Promise<ChainPage>;
  createJoinToken(request: JoinTokenRequest): Promise<Outcome<GrantedJoinToken>>;
  /** Those that have not expired a day ago, newest first. */
  joinTokens(): Promise<readonly JoinToken[]>;
  /** Ends a join token that has not been used; nothing happens to what was got with one that has. */
  deleteJoinToken(id: string): Promise<Outcome<JoinToken>>;
  /** Issues what is asked for and spends the token, or does neither. */
  join(request: JoinRequest): Promise<Outcome<Joined>>;
  /** Issues to whom a certificate of the mesh proves, and to nobody else. */
  renew(request: RenewRequest): Promise<Outcome<Joined>>;
}
