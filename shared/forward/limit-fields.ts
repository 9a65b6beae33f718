/**
 * The header fields that tell a caller of limits (the IETF's draft
 * httpapi-ratelimit-headers): lists of structured fields (RFC 9651), one item
 * for each limit.
 *
 * @module
 */
import type { Rate } from "../engine/limit.ts";
import type { Millis } from "../engine/time.ts";

/** How far a limit is used. */
export interface Quota {
  readonly policy: string;
  readonly rate: Rate;
  /** Calls that would be admitted now. Of a leased limit only those that the isolate holds: at least so many. */
  readonly remaining: number;
  /** Until there are more, or all; `null` when that is not known. */
  readonly resetMs: Millis | null;
}

/** `RateLimit-Policy` and `RateLimit`. Names of policies need no escape: they are DNS names and an index. */
export function limitFields(quotas: readonly Quota[]): readonly (readonly [name: string, value: string])[] {
  return [
    ["ratelimit-policy", quotas.map(policyItem).join(", ")],
    ["ratelimit", quotas.map(stateItem).join(", ")],
  ];
}

function policyItem({ policy, rate }: Quota): string {
  return `"${policy}";q=${rate.requests};w=${seconds(rate.perMs)}`;
}

function stateItem({ policy, remaining, resetMs }: Quota): string {
  const reset = resetMs === null ? "" : `;t=${seconds(resetMs)}`;
  return `"${policy}";r=${remaining}${reset}`;
}

function seconds(ms: Millis): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
