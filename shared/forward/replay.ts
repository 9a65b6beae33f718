/**
 * A recorded call as authorization reads it, which notices what it is asked
 * for and does not have.
 *
 * @module
 */
import type { Addresses } from "../engine/access-condition.ts";
import type { AuthorizationInput, Caller } from "../engine/authorize.ts";
import type { Claims, EndUser } from "../engine/end-user.ts";
import { claimAttribute, headerAttribute, readsOf } from "../engine/reads.ts";
import type { Millis } from "../engine/time.ts";
import { callerOf, parseSpiffeId } from "../identity/spiffe.ts";
import type { Protection } from "../wire/policy-preview.ts";
import type { RecordedCall, RecordedClaim, RecordedUser } from "../wire/recorded-call.ts";

/** What is replayed, and by what. */
export interface Replay {
  readonly call: RecordedCall;
  readonly policy: Protection;
  /** Gets the names of what is asked for and was not recorded. */
  readonly missing: Set<string>;
  readonly now: Millis;
  /** False where callers are not looked at. */
  readonly knowsCaller: boolean;
}

/** The input of a decision about the call. */
export function replay(asked: Replay): AuthorizationInput {
  const { call, missing, now } = asked;
  const { host, port, method, path, headers } = call;
  const input = {
    caller: asked.knowsCaller ? callerIn(call, missing) : null,
    host,
    port,
    method,
    path,
    now,
    headers: {
      get: (name: string) => {
        if (!Object.hasOwn(headers, name)) missing.add(headerAttribute(name));
        return headers[name] ?? null;
      },
    },
    get user(): EndUser | null {
      return userIn(asked);
    },
  };
  // What the host could not tell it could not decide by; that is known.
  if (call.addresses === null) return input;
  return Object.defineProperty(input, "addresses", { get: () => addressesIn(call, missing) });
}

function callerIn({ caller }: RecordedCall, missing: Set<string>): Caller | null {
  if (caller === null) return null;
  const parsed = parseSpiffeId(`spiffe://${caller}`);
  if (parsed === null) missing.add("source.principal");
  return parsed === null ? null : callerOf(parsed);
}

const NOWHERE: Addresses = { source: null, remote: null };

function addressesIn({ addresses }: RecordedCall, missing: Set<string>): Addresses {
  if (addresses === undefined) missing.add("source.ip, remote.ip");
  return addresses ?? NOWHERE;
}

/** Nobody's token is verified where there are no rules for it. */
function userIn({ call: { user }, policy, missing }: Replay): EndUser | null {
  if (policy.users === undefined || user === null) return null;
  if (user === undefined) {
    missing.add("request.auth");
    return null;
  }
  return {
    get issuer() {
      return principalOf(user, missing).issuer;
    },
    get subject() {
      return principalOf(user, missing).subject;
    },
    get audiences() {
      if (user.audiences === undefined) missing.add("request.auth.audiences");
      return user.audiences ?? [];
    },
    get presenter() {
      if (user.presenter === undefined) missing.add("request.auth.presenter");
      return user.presenter ?? null;
    },
    get claims() {
      const recorded = new Set(user.claims.map((claim) => claimAttribute(claim.path)));
      const read = readsOf(policy.authorization).claims.map(claimAttribute);
      // Which of them is read now is not told: all that are missing might be.
      for (const name of read) if (!recorded.has(name)) missing.add(name);
      return claimsOf(user.claims);
    },
  };
}

function principalOf(
  { principal }: RecordedUser,
  missing: Set<string>,
): NonNullable<RecordedUser["principal"]> {
  if (principal === undefined) missing.add("request.auth.principal");
  return principal ?? { issuer: "", subject: "" };
}

/** Claims with the recorded texts at their places. What a token said elsewhere is not there. */
function claimsOf(recorded: readonly RecordedClaim[]): Claims {
  const root: Record<string, unknown> = Object.create(null);
  for (const { path, values } of recorded) if (values.length > 0) place(root, path, values);
  return root;
}

function place(within: Record<string, unknown>, path: readonly string[], values: readonly string[]): void {
  const [name = "", ...rest] = path;
  if (rest.length === 0) {
    within[name] = values;
    return;
  }
  const known = within[name];
  const inner: Record<string, unknown> = isRecord(known) ? known : Object.create(null);
  within[name] = inner;
  place(inner, rest, values);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
