/**
 * The ports that any Worker can fill: the clock, chance, timers, and work
 * after the answer.
 *
 * @module
 */
import type { Address } from "../shared/engine/endpoint.ts";
import type { Limiter, Ports } from "../shared/forward/ports.ts";

export type RuntimePorts = Pick<
  Ports,
  "now" | "random" | "sleep" | "timer" | "departure" | "defer" | "log" | "patterns" | "userTokens"
>;

/**
 * Ports of one invocation; `incoming` is the request that it handles, if it
 * handles one. Its signal tells of a caller that has gone only in Workers with
 * the compatibility flag `enable_request_signal`; in others it never aborts.
 */
export function runtimePorts(
  ctx: Pick<ExecutionContext, "waitUntil">,
  incoming: Request | null,
): RuntimePorts {
  return {
    now: Date.now,
    random: Math.random,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    timer: startTimer,
    departure: () => incoming?.signal ?? null,
    defer: (work) => ctx.waitUntil(work),
    log: writeLine,
    patterns: async () => (await import("../shared/wire/pattern.ts")).compilePattern,
    userTokens: () => import("../shared/identity/user-token.ts"),
  };
}

/** Calls `act` once after `ms`, unless the function that it returns was called before. */
export function startTimer(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

/** Writes one line of the log. */
export function writeLine(line: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(line));
}

/** Asks by a binding of the Worker's own, or over the network. */
export async function ask(env: unknown, address: Address, request: Request): Promise<Response> {
  if (address.kind === "origin") return fetch(request);
  const worker = address.kind === "binding" ? bindingOf(env, address.name) : null;
  if (worker === null) throw new Error(`this Worker has no binding ${address.name}`);
  return worker.fetch(request);
}

/** The service binding of a name; `null` when the Worker has none. */
export function bindingOf(env: unknown, name: string): Fetcher | null {
  const value = ownValue(env, name);
  return isFetcher(value) ? value : null;
}

/** The rate-limit binding of a name; `null` when the Worker has none. */
export function limiterOf(env: unknown, name: string): Limiter | null {
  const value = ownValue(env, name);
  return isLimiter(value) ? value : null;
}

function ownValue(env: unknown, name: string): unknown {
  if (typeof env !== "object" || env === null || !Object.hasOwn(env, name)) return undefined;
  return Reflect.get(env, name);
}

function isFetcher(value: unknown): value is Fetcher {
  return typeof value === "object" && value !== null && "fetch" in value;
}

/** A stub of another Worker or of an object answers to every name: only what is no stub is what it looks like. */
function isLimiter(value: unknown): value is Limiter {
  return (
    typeof value === "object" &&
    value !== null &&
    !isFetcher(value) &&
    "limit" in value &&
    typeof value.limit === "function"
  );
}
