/**
 * The key that a call is hashed by, where its balancer hashes.
 *
 * @module
 */
import type * as balance from "../engine/balance.ts";
import { setCookie } from "../engine/cookie.ts";
import { hash32, keyOf, pointOf } from "../engine/hash.ts";
import type { HashKey } from "../engine/hash.ts";
import type { Call } from "./call.ts";
import type { Choices } from "./choices.ts";
import { sourceIpOf } from "./onward.ts";

/** Decisions that a call's hash makes besides the one for an endpoint. */
export const PURPOSES = { service: 0, group: 1 } as const;

/**
 * A number in [0, 1) that decides between shares of calls: by chance, or by
 * the call's key where the balancer hashes, so that a key stays where it is.
 */
export function pointFor(
  call: Call,
  policy: balance.LoadBalancing,
  choices: Choices,
  purpose: keyof typeof PURPOSES,
): number {
  const hash = hashFor(call, policy, choices);
  return hash === null ? call.mesh.ports.random() : pointOf(hash, PURPOSES[purpose]);
}

/** The hash of the call's key; `null` when it has none, or its balancer does not hash. */
export function hashFor(call: Call, policy: balance.LoadBalancing, choices: Choices): number | null {
  if (policy.kind !== "ring" && policy.kind !== "maglev") return null;
  if (choices.hash === undefined) {
    const text = firstOf(policy.key, call) ?? cookieFor(call, policy, choices);
    choices.hash = text === null ? null : hash32(text);
  }
  return choices.hash;
}

function firstOf(keys: readonly HashKey[], call: Call): string | null {
  for (const key of keys) {
    const text = keyOf(key, call.view, call.client, sourceIpOf(call.headers));
    if (text !== null) return text;
  }
  return null;
}

/** A client without a key gets a cookie as one, if the policy says so: it then comes back to where this call goes. */
function cookieFor(call: Call, { cookie }: balance.Hashing, choices: Choices): string | null {
  if (cookie === undefined) return null;
  const value = call.mesh.ports.random().toString(36).slice(2);
  const { name, path, ttlMs } = cookie;
  choices.fields.push(setCookie({ name, value, path, maxAgeMs: ttlMs === 0 ? null : ttlMs }));
  return value;
}
