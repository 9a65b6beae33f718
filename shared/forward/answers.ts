/**
 * Turns a refusal into the response that the caller sees.
 *
 * @module
 */
import { PROBLEMS } from "../wire/problem.ts";
import type { Refusal } from "./refusal.ts";

/** Keeps the body within 512 bytes, so that the mesh is no amplifier for forged requests. */
const MAX_DETAIL = 200;

/**
 * A problem document (RFC 9457) with the code and the request id, which lead
 * an operator to the log line; `Proxy-Status` (RFC 9209) tells that the mesh
 * answered, not the service.
 */
export function respond(refusal: Refusal, requestId: string, method: string): Response {
  const { code, detail } = refusal.problem;
  const { title } = PROBLEMS[code];
  const status = statusOf(refusal);
  const headers = headersOf(refusal, requestId);
  if (refusal.grpcStatus !== undefined) return inGrpc(refusal.grpcStatus, title, headers);
  const body = {
    type: "about:blank",
    title,
    status,
    detail: detail.slice(0, MAX_DETAIL),
    instance: requestId,
    code,
  };
  const isEmpty = method === "HEAD" || WITHOUT_BODY.has(status);
  return new Response(isEmpty ? null : JSON.stringify(body), { status, headers });
}

/** The HTTP status that a refusal is told with. */
export function statusOf({ problem, status, grpcStatus }: Refusal): number {
  return grpcStatus === undefined ? (status ?? PROBLEMS[problem.code].status) : 200;
}

/** Statuses whose responses have no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** gRPC's response without messages, which has its status among the headers. */
function inGrpc(grpcStatus: number, message: string, headers: Headers): Response {
  headers.set("content-type", "application/grpc");
  headers.set("grpc-status", String(grpcStatus));
  headers.set("grpc-message", message);
  return new Response(null, { status: 200, headers });
}

function headersOf(refusal: Refusal, requestId: string): Headers {
  const { code, retryAfterMs } = refusal.problem;
  const meaning = PROBLEMS[code];
  const headers = new Headers({
    "content-type": "application/problem+json",
    "cache-control": "no-store",
    "x-request-id": requestId,
  });
  if ("proxyStatus" in meaning)
    headers.set("proxy-status", `selvedge; error=${meaning.proxyStatus}; details="${code}"`);
  if (retryAfterMs !== undefined)
    headers.set("retry-after", String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
  if (statusOf(refusal) === 401) headers.set("www-authenticate", 'Bearer realm="selvedge"');
  for (const [name, value] of refusal.headers) headers.set(name, value);
  return headers;
}

/** The code that a mesh host further on gave as the reason of its answer; empty when the service itself answered. */
export function reasonOf(response: Response): string {
  const status = response.headers.get("proxy-status") ?? "";
  const [, code] = /^selvedge; error=[a-z_]+; details="([a-z._]+)"$/.exec(status) ?? [];
  // A service could write anything there: only what the mesh itself says becomes a metric's label.
  return code !== undefined && Object.hasOwn(PROBLEMS, code) ? code : "";
}
