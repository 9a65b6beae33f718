/**
 * One try: sends a call to one endpoint, within a time limit.
 *
 * @module
 */
import { isToAny } from "../engine/authorize.ts";
import type { Caller, OperationMatch } from "../engine/authorize.ts";
import * as balance from "../engine/balance.ts";
import type { Endpoint } from "../engine/endpoint.ts";
import { parseHost } from "../engine/host.ts";
import { canonicalize } from "../engine/path.ts";
import type { TryOutcome } from "../engine/retry.ts";
import type { Millis } from "../engine/time.ts";
import * as timeout from "../engine/timeout.ts";
import type { Body } from "./body.ts";
import type { Call } from "./call.ts";
import { onDeparture } from "./departure.ts";
import { clientCertificate } from "./onward.ts";
import { freshTokenFor, tokenFor } from "./peer-token.ts";
import { hostOf } from "./plan.ts";
import type { Plan } from "./plan.ts";
import { SendError } from "./ports.ts";
import type { Way } from "./ports.ts";
import type { Answer } from "./refusal.ts";

/** How a try ended, with the response if there is one. */
export type Attempt =
  | { readonly kind: "response"; readonly status: number; readonly response: Response }
  | Exclude<TryOutcome, { readonly kind: "response" }>;

/**
 * Tries one endpoint. The endpoint counts as busy until the response headers
 * are there, not until the body has passed: seeing a body's end would mean to
 * wrap every response.
 */
export async function attempt(
  call: Call,
  plan: Plan,
  endpoint: Endpoint,
  { body, control }: Trying,
): Promise<Attempt> {
  const { ports } = call.mesh;
  const { load } = plan.pool;
  const way = ports.wayTo(endpoint);
  const introducing = introduce(call, plan, endpoint, way);
  if (introducing !== null) await introducing;
  const now = ports.now();
  const limitMs = timeout.tryTimeoutMs(plan.timeouts, call.trail.arrivedAt, now);
  const isLast = limitMs === timeout.remainingMs(plan.timeouts, call.trail.arrivedAt, now);
  const leftMs = timeout.deadlineHeader(limitMs);
  if (leftMs !== null) call.headers.set(timeout.DEADLINE_HEADER, leftMs);
  const free = occupy(call, load, endpoint.id);
  try {
    return await withinLimit(call, { limitMs, isLast, control }, (signal) => {
      const request = makeRequest(call, plan, { way, body, signal });
      return ports.send(endpoint, request, { service: plan.service.id, port: plan.port });
    });
  } finally {
    free();
  }
}

interface Trying {
  readonly body: Body;
  /** Ends the try early; `null` where nobody wants to. */
  readonly control: AbortController | null;
}

/** Counts an endpoint as busy until the function that this returns is called, or the caller has gone. */
function occupy({ mesh }: Call, load: balance.Load, id: string): () => void {
  let isBusy = true;
  const free = (): void => {
    if (isBusy) balance.end(load, id);
    isBusy = false;
  };
  balance.begin(load, id);
  const stay = onDeparture(mesh.ports, free);
  return () => {
    stay();
    free();
  };
}

/** Gives up a response that nobody will read, so that its connection is free. */
export function discard(outcome: Attempt | Answer): void {
  if (outcome.kind !== "response") return;
  // It may have broken already: then there is nothing to free.
  outcome.response.body?.cancel().catch(() => undefined);
}

/** Sets the fields that only the mesh may say, last: neither the client nor a route's filters have a say in them. */
function introduce(call: Call, plan: Plan, endpoint: Endpoint, way: Way): Promise<void> | null {
  const { headers, caller } = call;
  headers.set("x-selvedge-hops", String(call.hops + 1));
  // What tells a workload who calls is no business of others, who could use it elsewhere.
  const isTold = caller !== null && endpoint.isExternal !== true;
  if (!isTold) headers.delete("x-forwarded-client-cert");
  else headers.set("x-forwarded-client-cert", clientCertificate(caller, endpoint.workload));
  const token = isTold && way.carriesToken ? tokenAt(call, plan, endpoint, caller) : null;
  if (token instanceof Promise) return token.then((token) => showToken(headers, token));
  showToken(headers, token);
  return null;
}

/** Where a token counts once, each try shows one of its own. */
function tokenAt(
  call: Call,
  plan: Plan,
  { inbound, workload }: Endpoint,
  caller: Caller,
): ReturnType<typeof tokenFor> {
  const once = plan.service.unit.inbound[inbound]?.tokens?.once;
  return once !== undefined && isAmong(once, call, plan)
    ? freshTokenFor(call.mesh, caller, workload)
    : tokenFor(call.mesh, caller, workload);
}

/**
 * Whether the callee takes a token once for what is sent. The host that runs
 * the inbound half here knows the service's port; a callee that runs it
 * itself knows what the request says, and reads the path as strictly as every
 * Worker does. Either may ask for it.
 */
function isAmong(once: readonly OperationMatch[], call: Call, plan: Plan): boolean {
  const { method } = call.request;
  const { port, path } = plan;
  const host = hostOf(call, plan);
  if (isToAny(once, { host, port, method, path })) return true;
  const asSent = parseHost(plan.authority, call.view.scheme);
  const asRead = canonicalize(path);
  return isToAny(once, {
    host,
    port: asSent.kind === "ok" ? asSent.port : port,
    method,
    path: asRead.kind === "ok" ? asRead.path : path,
  });
}

function showToken(headers: Headers, token: string | null): void {
  if (token === null) headers.delete("x-selvedge-peer");
  else headers.set("x-selvedge-peer", token);
}

interface Sending {
  readonly way: Way;
  readonly body: Body;
  readonly signal: AbortSignal | null;
}

function makeRequest(call: Call, plan: Plan, { way, body, signal }: Sending): Request {
  const { scheme, query } = call.view;
  const origin = way.origin ?? `${scheme}://${plan.authority}`;
  const url = `${origin}${plan.path}${query === "" ? "" : `?${query}`}`;
  const init = { method: call.request.method, headers: call.headers, redirect: "manual" as const, signal };
  if (body.kind === "none") return new Request(url, init);
  if (body.kind === "held") return new Request(url, { ...init, body: body.bytes });
  // `duplex` is asked for by the fetch standard and by Node; workerd does without.
  const streamed = { ...init, body: body.stream, duplex: "half" as const };
  return new Request(url, streamed);
}

interface Limit {
  readonly limitMs: Millis | null;
  /** The limit is the whole call's: no other try can follow one that exceeds it. */
  readonly isLast: boolean;
  readonly control: AbortController | null;
}

/** Runs `send` and gives up on it after `limitMs`; `null` is no limit. Never rejects. */
function withinLimit(
  call: Call,
  { limitMs, isLast, control }: Limit,
  send: (signal: AbortSignal | null) => Promise<Response>,
): Promise<Attempt> {
  if (limitMs !== null && limitMs <= 0) return Promise.resolve({ kind: "timeout" });
  const { outlivesCalls } = call.mesh.settings;
  // A signal costs 10 µs; where the end of the call ends the invocation, it would end nothing else.
  const isAlone = limitMs === null ? !(outlivesCalls && call.signal !== null) : isLast && !outlivesCalls;
  const abort = control ?? (isAlone ? null : new AbortController());
  if (abort !== null) call.signal?.addEventListener("abort", () => abort.abort(), { once: true });
  const signal = abort === null ? call.signal : abort.signal;
  if (limitMs === null) return start(send, signal);
  return new Promise((resolve) => {
    let isOver = false;
    const cancel = call.mesh.ports.timer(limitMs, () => {
      isOver = true;
      resolve({ kind: "timeout" });
      abort?.abort();
    });
    void start(send, signal).then((attempt) => {
      cancel();
      if (isOver) discard(attempt);
      resolve(attempt);
    });
  });
}

async function start(
  send: (signal: AbortSignal | null) => Promise<Response>,
  signal: AbortSignal | null,
): Promise<Attempt> {
  try {
    const response = await send(signal);
    return { kind: "response", status: response.status, response };
  } catch (error) {
    // What went wrong in between is the outcome of the try; whether it is told is decided by whoever tries again.
    return { kind: error instanceof SendError ? error.kind : "reset" };
  }
}
