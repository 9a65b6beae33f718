/**
 * SPIFFE ids as this mesh writes them: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
 *
 * @module
 */
import * as authorize from "../engine/authorize.ts";

/** The parts of a workload's id. */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** A workload inside its trust domain. */
export interface Workload {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** The longest id, in characters: SPIFFE-ID §2.3 (all allowed characters are ASCII). */
const MAX_ID_LENGTH = 2048;

/** Trust domain of at most 255 characters, in lower case (SPIFFE-ID §2.1); segments without percent-encoding (§2.2). */
const ID = /^spiffe:\/\/([a-z0-9._-]{1,255})\/ns\/([A-Za-z0-9._-]+)\/sa\/([A-Za-z0-9._-]+)$/;
const WORKLOAD = /^([A-Za-z0-9._-]+)\/([A-Za-z0-9._-]+)$/;
const DOTS_ONLY = /^\.+$/;

/** Writes a workload's id. The parts are taken as they are: check what a stranger chose with `parseSpiffeId`. */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/**
 * Reads a workload's id, or `null` when it is anything else. Nothing is
 * normalized: another case, an encoded or dots-only segment, a further
 * segment, a port, a query or a control character makes it another text, not
 * another spelling.
 */
export function parseSpiffeId(text: string): SpiffeId | null {
  if (text.length > MAX_ID_LENGTH) return null;
  const [, trustDomain, namespace, serviceAccount] = ID.exec(text) ?? [];
  if (trustDomain === undefined || namespace === undefined || serviceAccount === undefined) return null;
  if ([trustDomain, namespace, serviceAccount].some(isDotsOnly)) return null;
  return { trustDomain, namespace, serviceAccount };
}

/** Reads `namespace/service account`, or `null` when it could not stand in a SPIFFE id. */
export function parseWorkload(text: string): Workload | null {
  if (text.length > MAX_ID_LENGTH) return null;
  const [, namespace, serviceAccount] = WORKLOAD.exec(text) ?? [];
  if (namespace === undefined || serviceAccount === undefined) return null;
  return [namespace, serviceAccount].some(isDotsOnly) ? null : { namespace, serviceAccount };
}

/** The audience of tokens that are meant for the mesh itself: the trust domain's own id. */
export function meshAudience(trustDomain: string): string {
  return `spiffe://${trustDomain}`;
}

/** The caller that an id proves. */
export function callerOf({ trustDomain, namespace, serviceAccount }: SpiffeId): authorize.Caller {
  const caller = { trustDomain, namespace, serviceAccount };
  return { ...caller, principal: authorize.principalOf(caller) };
}

function isDotsOnly(segment: string): boolean {
  return DOTS_ONLY.test(segment);
}
