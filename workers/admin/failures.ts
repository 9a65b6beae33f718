/**
 * Turns away those who fail to authenticate too often. Failures are counted
 * in one place for the whole mesh; an isolate that has counted one remembers
 * until when its source is out, so that a success costs no call.
 *
 * @module
 */
import { adminOf, type Env } from "../../durable-objects/env.ts";
import { networkOf } from "../../shared/engine/limit-key.ts";
import type { Millis } from "../../shared/engine/time.ts";
import { MeshError } from "../../shared/wire/problem.ts";

/** Sources that an isolate remembers; of more, the oldest is forgotten, and counted again by its next failure. */
const MAX_REMEMBERED = 1_000;

const blockedUntil = new Map<string, Millis>();

/** Refuses a source that is out. */
export function assertPatience(address: string, now: Millis): void {
  const until = blockedUntil.get(sourceOf(address)) ?? 0;
  if (until > now) throw new MeshError(tooMany(until - now));
}

/**
 * Counts a failure. An address that nobody vouches for is not counted: only
 * the platform tells it, and without it one client would turn away all.
 */
export async function strike(env: Env, address: string, requestId: string): Promise<void> {
  if (address === "") return;
  const source = sourceOf(address);
  const event = {
    principal: "anonymous",
    address,
    requestId,
    action: "authentication.blocked",
    target: source,
    detail: "failed too often",
  };
  remember(source, await adminOf(env).strike(source, event));
}

function remember(source: string, until: Millis): void {
  if (until === 0) return;
  const [oldest] = blockedUntil.keys();
  if (oldest !== undefined && blockedUntil.size >= MAX_REMEMBERED) blockedUntil.delete(oldest);
  blockedUntil.set(source, until);
}

/** One subscriber has a whole /64 of IPv6. */
function sourceOf(address: string): string {
  return networkOf(address) ?? address;
}

function tooMany(forMs: Millis) {
  const detail = "Too many requests from your address had no valid credential. Wait before you try again.";
  return { code: "admin.throttled", detail, retryAfterMs: forMs } as const;
}
