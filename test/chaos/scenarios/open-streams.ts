/**
 * How long a stream that is open goes on after the revocation of its caller
 * was acknowledged.
 *
 * @module
 */
import { request } from "node:http";
import { meshAudience } from "../../../shared/identity/spiffe.ts";
import { inTurns } from "../../e2e/http-client.ts";
import { type Behavior, WELL } from "../behavior.ts";
import { NAMESPACE } from "../documents.ts";
import { quantile, round } from "../figures.ts";
import { fieldsOf, TRUST_DOMAIN } from "../fleet.ts";
import type { Target } from "../load.ts";
import { play, type Plan, type Stage, type Step, type Taken } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const ISOLATES = 3;
const REVOCATIONS = 60;
const EVERY_MS = 500;
/** After the last revocation, for what is late. */
const REST_MS = 5_000;
const TTL_SECONDS = 900;

/** Every stream is a workload's of its own. */
export const openStreams: Scenario = {
  shows: "3 isolates, 60 open streams: from an acknowledged revocation to the end of its caller's stream",
  size: { forMs: REVOCATIONS * EVERY_MS, perSecond: 0 },
  steps: ({ forMs }) => Array.from({ length: Math.floor(forMs / EVERY_MS) }, (_, n) => revoke(n)),
  run,
};

/** Not at equal distances, so that revocations and what hosts do by the clock do not fall into step. */
function revoke(n: number): Step {
  const withdrawal = { workload: victim(n), audience: null };
  return { atMs: n * EVERY_MS + ((n * 137) % 300), act: { kind: "revoke", withdrawal } };
}

function victim(n: number): string {
  return `${NAMESPACE}/victim-${n}`;
}

const STREAMING: Behavior = { ...WELL, mishaps: [{ share: 1, fault: { kind: "endless" } }] };

function run(plan: Plan): Promise<Verdict> {
  return onStage(plan, { upstreams: ["a"], isolates: ISOLATES }, async (stage) => {
    await stage.upstreams.behave("a", STREAMING);
    const streams = await openAll(stage, plan.steps.length);
    const taken = await play(plan, stage);
    const restUntil = Date.now() + REST_MS;
    while (streams.some(({ endedAt }) => endedAt === null) && Date.now() < restUntil) await pause();
    for (const { close } of streams) close();
    return verdict(taken, streams);
  });
}

function pause(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 50));
}

interface Stream {
  /** In milliseconds since the epoch; `null` while it is open. */
  endedAt: number | null;
  close(): void;
}

async function openAll({ fleet }: Stage, count: number): Promise<readonly Stream[]> {
  const audience = meshAudience(TRUST_DOMAIN);
  return inTurns(count, 4, async (n) => {
    const token = await fleet.authority.token(victim(n), audience, TTL_SECONDS);
    const port = fleet.isolates[n % ISOLATES]?.port ?? 0;
    return open({ port, headers: fieldsOf("web", token) });
  });
}

/** Opens a stream; resolves when its first bytes are there. */
function open({ port, headers }: Target): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const asking = request({ host: "127.0.0.1", port, headers, agent: false });
    const stream: Stream = { endedAt: null, close: () => asking.destroy() };
    asking.on("error", reject);
    asking.on("response", (response) => {
      response.once("data", () => resolve(stream));
      response.on("error", () => undefined);
      response.on("close", () => (stream.endedAt = Date.now()));
    });
    asking.end();
  });
}

function verdict(taken: readonly Taken[], streams: readonly Stream[]): Verdict {
  const lags = taken.map(({ at }, n) => (streams[n]?.endedAt ?? Infinity) - at);
  const early = taken.filter(({ from }, n) => (streams[n]?.endedAt ?? Infinity) < from).length;
  const p99 = quantile(lags, 0.99);
  return judge({ streams: streams.length, early, p50Ms: round(quantile(lags, 0.5)), p99Ms: round(p99) }, [
    { figure: "early", value: early, atMost: 0 },
    { figure: "p99Ms", value: p99, atMost: 2_000 },
  ]);
}
