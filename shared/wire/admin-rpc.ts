/**
 * What the admin object answers over RPC: tokens for the admin API, and the
 * audit log. Changes are additive, as in `rpc.ts`.
 *
 * @module
 */
import type { Principal, Role } from "./access.ts";
import type { ChainPage, ChainRequest } from "./audit-chain.ts";
import type { Outcome } from "./problem.ts";
import type { Origin } from "./rpc.ts";

/** One line of the audit log, before it has its time. */
export interface AuditEvent extends Origin {
  /** Such as `token.grant`. */
  readonly action: string;
  /** What it was done to. */
  readonly target: string;
  readonly detail: string;
}

export interface AuditEntry extends AuditEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Of the line, and the hash with which the chain goes on; absent from lines that no chain covers. */
  readonly number?: number;
  readonly hash?: string;
}

export interface AuditQuery {
  /** Only what happened before, in milliseconds since the epoch; absent: everything. */
  readonly before?: number;
  readonly principal?: string;
  /** At most so many, newest first. */
  readonly limit: number;
}

export interface TokenGrant {
  /** Unique among the tokens. */
  readonly name: string;
  readonly role: Role;
  /** `null`: all; an editor names its own. */
  readonly namespaces: readonly string[] | null;
  readonly ttlMs: number;
}

/** A token for the admin API, without its secret. */
export interface AccessToken extends Omit<TokenGrant, "ttlMs"> {
  /** Part of the token's text: tells which it is. */
  readonly id: string;
  /** Milliseconds since the epoch, here and below. */
  readonly createdAt: number;
  readonly createdBy: string;
  readonly expiresAt: number;
  /** Roughly: written at most once an hour. `null`: never. */
  readonly usedAt: number | null;
}

export interface GrantedToken extends AccessToken {
  readonly token: string;
}

export interface AdminApi {
  grant(request: TokenGrant, origin: Origin): Promise<Outcome<GrantedToken>>;
  tokens(): Promise<readonly AccessToken[]>;
  revoke(id: string, origin: Origin): Promise<Outcome<AccessToken>>;
  bearer(token: string): Promise<Principal | null>;
  strike(source: string, event: AuditEvent): Promise<number>;
  record(event: AuditEvent): Promise<void>;
  audit(query: AuditQuery): Promise<readonly AuditEntry[]>;
  /** The log as it can be checked. */
  chain(request: ChainRequest): Promise<ChainPage>;
  /** Notes that the bootstrap token is used, at most once an hour from one address. */
  breakGlass(event: AuditEvent): Promise<void>;
}
