/**
 * Request bodies: streamed as they come, or held so that a try can be repeated.
 *
 * @module
 */
import { isIdempotent } from "../engine/retry.ts";
import type { RetryPolicy } from "../engine/retry.ts";

export type Body =
  | { readonly kind: "none" }
  | { readonly kind: "held"; readonly bytes: ArrayBuffer }
  /** Can be sent once. */
  | { readonly kind: "stream"; readonly stream: ReadableStream };

/** Bodies above it are not held: an isolate has 128 MB for all its calls. Linkerd's limit for retries. */
export const MAX_HELD_BYTES = 65_536;

/**
 * Takes a request's body. It is held only if its length is told beforehand
 * and small, and the policy could repeat the call at all or others need it.
 */
export async function take(request: Request, policy: RetryPolicy, isNeeded: boolean): Promise<Body> {
  if (request.body === null) return { kind: "none" };
  if (!isNeeded && !mayRepeat(request.method, policy)) return { kind: "stream", stream: request.body };
  if (!isSmall(request.headers.get("content-length"))) return { kind: "stream", stream: request.body };
  return { kind: "held", bytes: await request.arrayBuffer() };
}

/** Whether the body can be sent another time. */
export function canReplay(body: Body): boolean {
  return body.kind !== "stream";
}

function mayRepeat(method: string, policy: RetryPolicy): boolean {
  return policy.retries > 0 && (policy.anyMethod || isIdempotent(method) || policy.on.length > 0);
}

function isSmall(contentLength: string | null): boolean {
  return contentLength !== null && Number(contentLength) <= MAX_HELD_BYTES;
}
