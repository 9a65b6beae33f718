/**
 * An open-loop load generator: requests leave at their time, however long the
 * answers to earlier ones take, and a request's time counts from when it was
 * due. So a stall shows in every request that it would have met.
 *
 * @module
 */
import http from "node:http";
import { setTimeout } from "node:timers/promises";

export interface Target {
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Load {
  readonly targets: readonly Target[];
  /** Requests, over all targets. */
  readonly perSecond: number;
  readonly forMs: number;
  /** Which target the n-th request goes to, of requests that are due `atMs` after the begin; in turn unless given. */
  readonly aim?: (n: number, atMs: number) => number;
  readonly method?: string;
}

/** One request and what became of it. */
export interface Call {
  /** When it was due, in milliseconds since the epoch. */
  readonly at: number;
  /** Until the end of the body. */
  readonly ms: number;
  /** Of them, before it was sent: how far the generator was behind. */
  readonly lateMs: number;
  readonly target: number;
  /** 0: no answer, or none to its end. */
  readonly status: number;
  /** Of the upstream that answered; empty when the mesh did. */
  readonly servedBy: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** Enough for a second of 500 requests that all wait, few enough to be a modest client. */
const CONNECTIONS = 512;

const GIVE_UP_MS = 30_000;

/** Sends the load and resolves when all answers are in, in the order in which requests were due. */
export async function openLoop(load: Load): Promise<readonly Call[]> {
  // Under Node's own 5 s of idle time at a server: a connection is never used while the other side closes it.
  const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: "fifo" });
  const begin = Date.now();
  const total = Math.floor((load.forMs * load.perSecond) / 1_000);
  const flights: Promise<Call>[] = [];
  while (flights.length < total) {
    const elapsed = Date.now() - begin;
    const due = Math.min(total, Math.floor((elapsed * load.perSecond) / 1_000));
    for (let n = flights.length; n < due; n++) flights.push(send(load, n, begin, agent));
    await setTimeout(1);
  }
  const calls = await Promise.all(flights);
  agent.destroy();
  return calls;
}

function send(load: Load, n: number, begin: number, agent: http.Agent): Promise<Call> {
  const dueMs = (n * 1_000) / load.perSecond;
  const at = begin + dueMs;
  const target = load.aim?.(n, dueMs) ?? n % load.targets.length;
  const lateMs = Date.now() - at;
  const { port, headers } = load.targets[target] ?? { port: 0, headers: {} };
  return new Promise((resolve) => {
    const end = (status: number, answered: http.IncomingHttpHeaders = {}): void => {
      const servedBy = String(answered["x-served-by"] ?? "");
      resolve({ at, ms: Date.now() - at, lateMs, target, status, servedBy, headers: answered });
    };
    const request = http.request(
      { host: "127.0.0.1", port, path: `/?n=${n}`, method: load.method ?? "GET", headers, agent },
      (response) => {
        response.resume();
        // Comes after `end` as well, when a promise that has resolved ignores it.
        response.on("close", () => end(0, response.headers));
        response.on("end", () => end(response.statusCode ?? 0, response.headers));
      },
    );
    request.setTimeout(GIVE_UP_MS, () => request.destroy());
    request.on("error", () => end(0));
    request.end();
  });
}
