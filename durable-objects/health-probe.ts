/**
 * One probe of one endpoint, as a health check sends it: without any
 * identity, and without following where it is sent.
 *
 * @module
 */
import { connect } from "cloudflare:sockets";
import type { Address } from "../shared/engine/endpoint.ts";
import * as grpcHealth from "../shared/engine/grpc-health.ts";
import { isExpected, type Probe } from "../shared/engine/health-check.ts";
import type { Millis } from "../shared/engine/time.ts";
import type { CheckTarget } from "../shared/wire/rpc.ts";
import { VERSION } from "../shared/wire/version.ts";
import type { Env } from "./env.ts";

const USER_AGENT = `selvedge-health/${VERSION}`;

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
  const { probe: asked } = context;
  switch (asked.kind) {
    case "http":
      return get(context, asked, address, signal);
    case "tcp":
      return connectTo(address, signal);
    case "grpc":
      return callHealth(context, asked, address, signal);
  }
}

async function get(
  { env, serviceHost }: ProbeContext,
  { path, host, statuses }: Extract<Probe, { kind: "http" }>,
  address: Address,
  signal: AbortSignal,
): Promise<ProbeResult> {
  const base = address.kind === "origin" ? address.url : `http://${host ?? serviceHost}`;
  const request = new Request(base + path, {
    headers: { "user-agent": USER_AGENT, accept: "*/*" },
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
    case "origin": {
      const { certificate } = address;
      if (certificate === undefined) return fetch(request);
      return existing(bindingOf(env, certificate), { kind: "mTLS binding", name: certificate }).fetch(
        request,
      );
    }
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
  if (address.kind !== "origin") return NO_PORT;
  return overSocket(new URL(address.url), "off", signal, async () => ({ ok: true }));
}

const NO_PORT: ProbeResult = { ok: false, reason: "a Worker has no port" };

async function callHealth(
  { timeoutMs }: ProbeContext,
  { service }: Extract<Probe, { kind: "grpc" }>,
  address: Address,
  signal: AbortSignal,
): Promise<ProbeResult> {
  if (address.kind !== "origin") return NO_PORT;
  const url = new URL(address.url);
  const isTls = url.protocol === "https:";
  const call = grpcHealth.encodeCall({
    scheme: isTls ? "https" : "http",
    authority: url.host,
    service,
    timeoutMs,
    userAgent: USER_AGENT,
  });
  return overSocket(url, isTls ? "on" : "off", signal, (socket) => converse(socket, call));
}

async function converse({ readable, writable }: Socket, call: Uint8Array): Promise<ProbeResult> {
  const writer = writable.getWriter();
  // Not awaited: a server that does not read may answer all the same, and one that has gone is seen by reading.
  const send = (bytes: Uint8Array) => void writer.write(bytes).catch(() => undefined);
  send(call);
  const reader: ReadableStreamDefaultReader<Uint8Array> = readable.getReader();
  let reading = grpcHealth.NOTHING;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { ok: false, reason: "the server closed the connection" };
    const step = grpcHealth.receive(reading, value);
    if (step.kind === "serving") return { ok: true };
    if (step.kind === "failed") return { ok: false, reason: step.reason };
    if (step.reply.length > 0) send(step.reply);
    reading = step.reading;
  }
}

/** Opens a connection for `use` and closes it after. */
async function overSocket(
  { hostname, port, protocol }: URL,
  secureTransport: "on" | "off",
  signal: AbortSignal,
  use: (socket: Socket) => Promise<ProbeResult>,
): Promise<ProbeResult> {
  const socket = connect(
    { hostname, port: Number(port) || (protocol === "https:" ? 443 : 80) },
    { secureTransport, allowHalfOpen: false },
  );
  // Closing is also what ends an attempt that is late; `closed` then rejects with what `opened` has told.
  const close = () => void socket.close().catch(() => undefined);
  socket.closed.catch(() => undefined);
  signal.addEventListener("abort", close);
  try {
    await socket.opened;
    return await use(socket);
  } finally {
    close();
  }
}
