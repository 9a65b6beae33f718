/** The whole loop of a host, between a caller and endpoints that answer as a test says. */
import { callerOf } from "../../shared/identity/spiffe.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import type { Goal, Reception } from "../../shared/forward/carry.ts";
import { SendError } from "../../shared/forward/ports.ts";
import type { Unit } from "../../shared/engine/snapshot.ts";
import { endpoint } from "../engine/endpoints.ts";
import { meshKit } from "./mesh-kit.ts";
import type { MeshKit, MeshKitOptions, Send } from "./mesh-kit.ts";
import { directory, TRUST_DOMAIN } from "./units.ts";

export const WEB = callerOf({ trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web" });

export const TO_REVIEWS: Goal = { kind: "service", service: "shop/reviews" };

export function reception(changes: Partial<Reception> = {}): Reception {
  return {
    isFromOutside: false,
    signal: null,
    readsTokens: false,
    vouched: () => WEB,
    goalOf: () => TO_REVIEWS,
    needs: [],
    ...changes,
  };
}

/** Requests that reached an endpoint: `<endpoint> <method> <url>`. */
export interface Sent {
  readonly line: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A mesh whose endpoints answer in the order of `answers`; the last one repeats. */
export function setUp(
  reviews: Unit,
  answers: readonly (() => Response | Promise<Response>)[],
  options: MeshKitOptions & { readonly more?: Readonly<Record<string, Unit>> } = {},
): { kit: MeshKit; sent: Sent[] } {
  const sent: Sent[] = [];
  const send: Send = async (to: Endpoint, request: Request) => {
    const body = await request.text();
    sent.push({ line: `${to.id} ${request.method} ${request.url}`, headers: request.headers, body });
    return (answers[Math.min(sent.length, answers.length) - 1] ?? ok)();
  };
  const units = { directory: directory(), "service:shop/reviews": reviews, ...options.more };
  return { kit: meshKit({ send, units, ...options }), sent };
}

/** What an endpoint may do. */
export const ok = (): Response => new Response("ok");
export const unavailable = (): Response => new Response("busy", { status: 503 });
export const broken = (): Promise<Response> => Promise.reject(new Error("connection lost"));
export const unreachable = (): Promise<Response> => Promise.reject(new SendError("connect-failure"));
export const never = (): Promise<Response> => new Promise(() => undefined);

export const THREE = [endpoint("a"), endpoint("b"), endpoint("c")];
export const TWO = [endpoint("a"), endpoint("b")];
export const get = (path = "/"): Request => new Request(`http://reviews${path}`);

/** The status and code of an answer that the mesh gave itself. */
export async function codeOf(response: Response): Promise<unknown> {
  const { code } = (await response.json()) as { code: string };
  return [response.status, code];
}
