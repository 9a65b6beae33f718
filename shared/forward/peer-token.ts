/**
 * Tokens that tell a callee who calls: fetched once per caller and callee,
 * renewed before they expire.
 *
 * @module
 */
import type { Caller } from "../engine/authorize.ts";
import type { Millis } from "../engine/time.ts";
import { isRevoked } from "../identity/revocation.ts";
import { parseWorkload, spiffeId } from "../identity/spiffe.ts";
import { workloadOf } from "./call.ts";
import { directoryOf } from "./identify.ts";
import { within } from "./patience.ts";
import type { Mesh } from "./state.ts";

export interface HeldToken {
  /** Empty when it could not be had: a short memory of the failure. */
  readonly token: string;
  /** Its `jti`. */
  readonly id: string;
  readonly issuedAt: Millis;
  readonly renewAt: Millis;
  readonly expiresAt: Millis;
}

/** Caller and callee pairs of one isolate. */
const MAX_TOKENS = 2_048;
/** A call waits no longer for its token: it goes without, and a strict callee refuses it. */
const TOKEN_WAIT_MS = 1_000;
/** After a failure the authority is left alone for as long. */
const RETRY_AFTER_MS = 500;
/** A token that expires sooner is not sent: the callee's clock may be ahead. */
const SAFETY_MS = 5_000;

/**
 * The token by which `caller` is known to `callee`, a `namespace/name`; `null`
 * when it cannot be had. Fetched while the call waits only when there is none
 * that still counts.
 */
export function tokenFor(mesh: Mesh, caller: Caller, callee: string): string | null | Promise<string | null> {
  const name = `${workloadOf(caller)} ${callee}`;
  const found = mesh.state.tokens.get(name);
  const held = found !== undefined && isWithdrawn(mesh, caller, found) ? undefined : found;
  const now = mesh.ports.now();
  if (held === undefined || now >= held.expiresAt - SAFETY_MS) {
    if (held !== undefined && held.token === "" && now < held.renewAt) return null;
    return fetchToken(mesh, caller, callee, name);
  }
  if (now >= held.renewAt) {
    // Pushed back first, so that one call renews and the others go on with what is held.
    mesh.state.tokens.set(name, { ...held, renewAt: now + RETRY_AFTER_MS });
    mesh.ports.defer(fetchToken(mesh, caller, callee, name));
  }
  return held.token;
}

/**
 * A token that nobody has seen yet, for a callee at which it counts once;
 * `null` when none can be had. It is not kept.
 */
export async function freshTokenFor(mesh: Mesh, caller: Caller, callee: string): Promise<string | null> {
  const issued = await issue(mesh, caller, callee);
  return issued?.token ?? null;
}

async function fetchToken(mesh: Mesh, caller: Caller, callee: string, name: string): Promise<string | null> {
  const { tokens } = mesh.state;
  const token = await issue(mesh, caller, callee);
  if (tokens.size >= MAX_TOKENS && !tokens.has(name)) tokens.clear();
  if (token !== null) tokens.set(name, token);
  // A renewal that failed leaves the token that still counts.
  else if (!isUsable(tokens.get(name), mesh.ports.now()))
    tokens.set(name, { ...NONE, renewAt: mesh.ports.now() + RETRY_AFTER_MS });
  return token?.token ?? null;
}

const NONE = { token: "", id: "", issuedAt: Infinity, expiresAt: 0 } as const;

/** A token that was revoked is refused by every callee: another one may not be. */
function isWithdrawn(
  mesh: Mesh,
  { trustDomain, namespace, serviceAccount }: Caller,
  held: HeldToken,
): boolean {
  const revoked = directoryOf(mesh)?.revoked;
  if (revoked === undefined) return false;
  return isRevoked(revoked, { ...held, subject: spiffeId(trustDomain, namespace, serviceAccount) });
}

function isUsable(held: HeldToken | undefined, now: Millis): boolean {
  return held !== undefined && held.token !== "" && now < held.expiresAt - SAFETY_MS;
}

async function issue(mesh: Mesh, caller: Caller, callee: string): Promise<HeldToken | null> {
  const workload = parseWorkload(callee);
  if (workload === null) return null;
  const audience = spiffeId(caller.trustDomain, workload.namespace, workload.serviceAccount);
  const askedAt = mesh.ports.now();
  try {
    const issuing = mesh.ports.control.token(workloadOf(caller), audience);
    const outcome = await within(mesh.ports, issuing, TOKEN_WAIT_MS);
    if (!outcome.ok) throw new Error(outcome.problem.code);
    const { token, id, issuedAt = askedAt, expiresAt } = outcome.value;
    return { token, id, issuedAt, expiresAt, renewAt: askedAt + (expiresAt - askedAt) / 2 };
  } catch (error) {
    // The call goes without: a callee that needs the token fails closed.
    mesh.ports.log({ event: "token.unavailable", audience, error: String(error).slice(0, 256) });
    return null;
  }
}
