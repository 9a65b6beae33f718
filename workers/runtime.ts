/**
 * The ports that any Worker can fill: the clock, chance, timers, and work
 * after the answer.
 *
 * @module
 */
import type { Ports } from "../shared/forward/ports.ts";

export type RuntimePorts = Pick<Ports, "now" | "random" | "sleep" | "timer" | "defer" | "log" | "patterns">;

/** Ports of one invocation. */
export function runtimePorts(ctx: Pick<ExecutionContext, "waitUntil">): RuntimePorts {
  return {
    now: Date.now,
    random: Math.random,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    timer: startTimer,
    defer: (work) => ctx.waitUntil(work),
    log: writeLine,
    patterns: async () => (await import("../shared/wire/pattern.ts")).compilePattern,
  };
}

function startTimer(ms: number, act: () => void): () => void {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
}

function writeLine(line: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify(line));
}

/** The service binding of a name; `null` when the Worker has none. */
export function bindingOf(env: unknown, name: string): Fetcher | null {
  if (typeof env !== "object" || env === null || !Object.hasOwn(env, name)) return null;
  const value: unknown = Reflect.get(env, name);
  return isFetcher(value) ? value : null;
}

function isFetcher(value: unknown): value is Fetcher {
  return typeof value === "object" && value !== null && "fetch" in value;
}
