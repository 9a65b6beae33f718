/**
 * The corpus: attacks as data.
 *
 * @module
 */

import type { Oddity } from "../identity/chains.ts";
import type { VerificationKey } from "../../shared/engine/snapshot.ts";

/** Where the bytes go: to the mesh's own socket, to a front that ends TLS before it, or to a Worker that protects itself. */
export type Target = "edge" | "front" | "library" | "admin";

export interface Attack {
  /** Unique. */
  readonly id: string;
  readonly class: string;
  readonly at: Target;
  /** The request as it goes over the socket, character for byte. */
  readonly how: string;
  /** Answers that are right: a status, and the mesh's code where it gives the answer, `400 path.encoded`. */
  readonly expected: readonly string[];
}

/** What those who attack have: tokens of workloads and editors, and forged ones. */
export interface Arms {
  /** A token for the mesh of `fort/friend`, whom the policies let in. */
  readonly friend: string;
  /** A token for the mesh of `fort/stranger`, whom they do not. */
  readonly stranger: string;
  /** A token of `fort/friend` for the Worker `fort/keep`. */
  readonly friendOfKeep: string;
  /** The same of `fort/stranger`. */
  readonly strangerOfKeep: string;
  /** Tokens of `fort/former`, whom the policies let in and whose tokens were revoked: for the mesh, and for `keep`. */
  readonly former: string;
  readonly formerOfKeep: string;
  /** Tokens of `fort/friend` that were used where a token counts once: for the mesh, and for `keep`. */
  readonly spent: string;
  readonly spentOfKeep: string;
  /** Bearers of the admin API: two may do something in the namespace `mine` alone. */
  readonly admin: string;
  readonly editor: string;
  readonly viewer: string;
  /** Edits the namespace `aaa`. */
  readonly first: string;
  /** Signs as the mesh's authority does: whatever header and claims. */
  signAsMesh(header: object, claims: object): Promise<string>;
  /** Signs as the issuer of end users does. */
  signAsIssuer(header: object, claims: object): Promise<string>;
  /** The mesh's key that signs now. */
  readonly meshKey: VerificationKey;
  readonly issuerKey: VerificationKey;
  readonly certificates: Certificates;
}

/** DER in base64, all of them. */
export interface Certificates {
  readonly ofFriend: string;
  /** Another of the same workload. */
  readonly ofFriendToo: string;
  readonly ofStranger: string;
  readonly ofFormer: string;
  /** From the mesh's intermediate to its root, without that. */
  readonly chain: readonly string[];
  readonly root: string;
  /** The friend's id, signed by another authority with the mesh's name. */
  readonly ofForeigner: { readonly leaf: string; readonly chain: readonly string[]; readonly root: string };
  /** Signs whatever the mesh's own intermediate should not. */
  sign(oddity: Oddity): Promise<string>;
}

export const DOOR = "door.localhost";
export const VAULT = "vault.fort.mesh.localhost";
/** Takes tokens with the certificate that they are bound to only. */
export const SAFE = "safe.fort.mesh.localhost";
export const USERS = "users.fort.mesh.localhost";
export const ROLES = "roles.fort.mesh.localhost";
/** A gateway that lets in what its own mesh has told of a call. */
export const TOLL = "toll.localhost";
/** What a policy would believe if only the mesh said so. */
export const TOLD = "URI=spiffe://selvedge.local/ns/fort/sa/friend";
export const DETOUR = "detour.fort.mesh.localhost";
export const ADMIN = "127.0.0.1";

/** A whole GET: `lines` are its header lines, among them the Host. */
export function get(target: string, lines: readonly string[]): string {
  return request("GET", target, lines);
}

/** A whole request without body. */
export function request(method: string, target: string, lines: readonly string[]): string {
  return `${method} ${target} HTTP/1.1\r\n${lines.map((line) => `${line}\r\n`).join("")}Connection: close\r\n\r\n`;
}

/** A whole request with a body of JSON, told by its length. */
export function send(method: string, target: string, lines: readonly string[], body: string): string {
  const length = `Content-Length: ${Buffer.byteLength(body)}`;
  const bytes = Buffer.from(body).toString("latin1");
  return `${request(method, target, [...lines, "Content-Type: application/json", length])}${bytes}`;
}

/** `authorization` with a bearer. */
export function bearer(token: string): string {
  return `Authorization: Bearer ${token}`;
}
