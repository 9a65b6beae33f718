/** A joined Worker that gets three times as many calls as it can work on. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { traffic } from "./documents.ts";
import { throughEdge } from "./hosts.ts";
import { startSuite } from "./suite.ts";

/** What the Worker leans on works on so many calls at once, each for so long, and on all others one after the other. */
const CAPACITY = 4;
const SERVICE_MS = 40;
const PEAK_PER_SECOND = (CAPACITY / SERVICE_MS) * 1_000;

/** A caller waits no longer. */
const PATIENCE_MS = 400;
const suite = startSuite();

/** Answers all calls, those too of which nobody waits for the answer: as most services do. */
async function startBackend(): Promise<string> {
  const waiting: (() => void)[] = [];
  let busy = 0;
  const next = (): void => {
    if (busy === CAPACITY) return;
    const answer = waiting.shift();
    if (answer === undefined) return;
    busy += 1;
    setTimeout(() => {
      busy -= 1;
      answer();
      next();
    }, SERVICE_MS);
  };
  const server = createServer((_request, response) => {
    waiting.push(() => response.end("done"));
    next();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** Calls at a steady rate for a while, whatever becomes of them; answers with good answers a second. */
async function offer(perSecond: number, seconds: number, call: () => Promise<number>): Promise<number> {
  const calls: Promise<number>[] = [];
  const startedAt = performance.now();
  while (calls.length < perSecond * seconds) {
    const due = Math.min(seconds, (performance.now() - startedAt) / 1_000) * perSecond;
    while (calls.length < due) calls.push(call());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const statuses = await Promise.all(calls);
  return statuses.filter((status) => status === 200).length / seconds;
}

/** Calls the Worker, which leans on a backend of this test alone. */
async function startCaller(): Promise<() => Promise<number>> {
  const headers = { "x-backend": await startBackend(), "x-selvedge-deadline-ms": String(PATIENCE_MS) };
  return async () => (await throughEdge(suite.mesh, suite.token)("callee", "/", { headers })).status;
}

test("a Worker that is protected does nearly as much as it can; one that is not, hardly anything", async () => {
  await suite.mesh.apply(traffic("callee", { retry: { attempts: 0 } }));
  const unprotected = await offer(PEAK_PER_SECOND * 3, 3, await startCaller());
  await suite.mesh.apply(traffic("callee", { retry: { attempts: 0 }, overload: {} }));
  const call = await startCaller();
  // As long as it takes to see the policy, and to measure.
  await offer(PEAK_PER_SECOND / 2, 2, call);

  const crowded = await offer(PEAK_PER_SECOND * 3, 4, call);

  expect(crowded / PEAK_PER_SECOND).toBeGreaterThan(0.8);
  expect(unprotected / PEAK_PER_SECOND).toBeLessThan(0.5);
});
