/**
 * One probe of one endpoint, as a health check sends it: without any
 * identity, and without following where it is sent.
 *
 * @module
 */
import { connect } from "cloudflare:sockets";
import type { Address } from "../shared/engine/endpoint.ts";
import { isExpected, type Probe } from "../shared/engine/health-check.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { CheckTarget } from "../shared/wire/rpc.ts";
import { VERSION } from "../shared/wire/version.ts";
import type { Env } from "./env.ts";

/** What one probe told; `reason` is for the log. */
export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** What all probes of a service have in common. */
export interface ProbeContext {
  readonly env: Env;
  readonly probe: Probe;
  readonly timeoutMs: Millis;
  /** `<service>.<namespace>`: the host that Workers see unless the check names one. */
  readonly serviceHost: string;
}

/** Probes an endpoint. Never rejects, and takes hardly longer than the time-out whatever the endpoint does. */
export async function probe(context: ProbeContext, { address }: CheckTarget): Promise<ProbeResult> {
  const controller = new AbortController();
  // Not AbortSignal.timeout: its timer would keep the object in memory after the answer.
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(new Error(`no answer within ${context.timeoutMs} ms`));
    controller.abort();
  }, context.timeoutMs);
  try {
    // The race is for what does not heed the signal: a Worker that is stuck before its first await.
    return await Promise.race([ask(context, address, controller.signal), late]);
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

function ask(context: ProbeContext, address: Address, signal: AbortSignal): Promise<ProbeResult> {
  return context.probe.kind === "tcp"
    ? connectTo(address, signal)
    : get(context, context.probe, address, signal);
}

async function get(
  { env, serviceHost }: ProbeContext,
  { path, host, statuses }: Extract<Probe, { kind: "http" }>,
  address: Address,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const base = address.kind === "origin" ? address.url : `http://${host ?? serviceHost}`;
  const request = new Request(base + path, {
    headers: { "user-agent": `selvedge-health/${VERSION}`, accept: "*/*" },
    // A redirect would lead the mesh's own network position elsewhere (CVE-2022-29153 of Consul).
    redirect: "manual",
    cache: "no-store",
    signal,
  });
  const { status, body } = await send(env, address, request);
  // Unread: a probe asks whether, not what. Failing to cancel says nothing of the endpoint.
  await body?.cancel().catch(() => undefined);
  return isExpected(status, statuses) ? { ok: true } : { ok: false, reason: `status ${status}` };
}

/** As calls are sent: by the mesh Worker's own bindings, or over the network. */
async function send(env: Env, address: Address, request: Request): Promise<Response> {
  switch (address.kind) {
    case "binding":
      return existing(bindingOf(env, address.name), address).fetch(request);
    case "dispatch":
      return existing(env.DISPATCH?.get(address.name), address).fetch(request);
    case "origin":
      return fetch(request);
  }
}

function existing(worker: Fetcher | undefined, { kind, name }: { kind: string; name: string }): Fetcher {
  if (worker === undefined) throw new Error(`the mesh's Worker has no ${kind} ${name}`);
  return worker;
}

function bindingOf(env: Env, name: string): Fetcher | undefined {
  const value: unknown = Object.hasOwn(env, name) ? Reflect.get(env, name) : undefined;
  return isFetcher(value) ? value : undefined;
}

function isFetcher(value: unknown): value is Fetcher {
  return typeof value === "object" && value !== null && "fetch" in value;
}

async function connectTo(address: Address, signal: AbortSignal): Promise<ProbeResult> {
  if (address.kind !== "origin") return { ok: false, reason: "a Worker has no port" };
  const { hostname, port, protocol } = new URL(address.url);
  const socket = connect({ hostname, port: Number(port) || (protocol === "https:" ? 443 : 80) });
  // Closing is also what ends an attempt that is late; `closed` then rejects with what `opened` has told.
  const close = () => void socket.close().catch(() => undefined);
  socket.closed.catch(() => undefined);
  signal.addEventListener("abort", close);
  try {
    await socket.opened;
    return { ok: true };
  } finally {
    close();
  }
}
