/**
 * A closed-loop load generator: each connection sends its next request when
 * the last answer has come. Bounded in count; loopback only.
 *
 * @module
 */
import http from "node:http";

export interface Target {
  readonly port: number;
  /** The n-th request: path and headers, Host included. */
  request(n: number): { readonly path: string; readonly headers: Readonly<Record<string, string>> };
}

export interface LoadResult {
  readonly requests: number;
  /** Wall-clock time of the whole run. */
  readonly elapsedMs: number;
  /** Latency of each request, ascending. */
  readonly latenciesMs: readonly number[];
}

/** Sends `requests` requests over `connections` connections. Rejects on the first answer that is not 200. */
export async function load(target: Target, requests: number, connections: number): Promise<LoadResult> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
  const latencies: number[] = [];
  let next = 0;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: connections }, async () => {
      while (next < requests) {
        const sentAt = performance.now();
        await send(target, next++, agent);
        latencies.push(performance.now() - sentAt);
      }
    }),
  );
  agent.destroy();
  return {
    requests,
    elapsedMs: performance.now() - started,
    latenciesMs: latencies.toSorted((a, b) => a - b),
  };
}

function send(target: Target, n: number, agent: http.Agent): Promise<void> {
  const { path, headers } = target.request(n);
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: "127.0.0.1", port: target.port, path, headers, agent, timeout: 10_000 },
      (response) => {
        response.resume();
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`${headers["host"] ?? ""}${path} answered ${response.statusCode}`));
        });
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer within 10 s")));
    request.on("error", reject);
    request.end();
  });
}

/** The q-quantile of ascending values. */
export function quantile(ascending: readonly number[], q: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * q))] ?? Number.NaN;
}
