/**
 * How long calls still pass after an acknowledged revocation, at the edge and
 * at joined Workers.
 *
 * @module
 */
import { meshAudience, spiffeId } from "../../../shared/identity/spiffe.ts";
import { inTurns } from "../../e2e/http-client.ts";
import { joinedWorker, NAMESPACE } from "../documents.ts";
import { lateness, quantile, round, statuses } from "../figures.ts";
import { fieldsOf, TRUST_DOMAIN, type Fleet } from "../fleet.ts";
import { type Call, openLoop, type Target } from "../load.ts";
import { play, type Plan, type Stage, type Step, type Taken } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const ISOLATES = 3;
const WORKERS = 2;
const HOSTS = ISOLATES + WORKERS;

const REVOCATIONS = 45;

/** Each revocation has as long for itself; its calls are made by a workload of its own. */
const EVERY_MS = 2_500;
/** So long they are let in, give or take, and all hosts have the token among those that they have verified. */
const REVOKED_AFTER_MS = 600;

/** Long enough for a run of ten minutes. */
const TTL_SECONDS = 900;

const EDGE = meshAudience(TRUST_DOMAIN);
const WORKER = spiffeId(TRUST_DOMAIN, NAMESPACE, "caller");
const WITHDRAWN = [null, EDGE, WORKER];

/** Identities, tokens for the edge and tokens for the Workers are revoked in turn. */
export const revocation: Scenario = {
  shows: "3 isolates, 2 joined Workers: from an acknowledged revocation to the last call that was let in",
  size: { forMs: REVOCATIONS * EVERY_MS, perSecond: 200 },
  steps: ({ forMs }) => Array.from({ length: Math.floor(forMs / EVERY_MS) }, (_, n) => revoke(n)),
  run,
};

/** Not at equal distances, so that revocations and what hosts do by the clock do not fall into step. */
function revoke(n: number): Step {
  const withdrawal = { workload: victim(n), audience: WITHDRAWN[n % WITHDRAWN.length] ?? null };
  return { atMs: n * EVERY_MS + REVOKED_AFTER_MS + ((n * 137) % 300), act: { kind: "revoke", withdrawal } };
}

function victim(n: number): string {
  return `${NAMESPACE}/victim-${n}`;
}

function run(plan: Plan): Promise<Verdict> {
  const options = { upstreams: ["a"], isolates: ISOLATES, documents: joinedWorker("binding:CALLER") };
  return onStage(plan, options, async (stage) => {
    const targets = await victimsAt(stage.fleet, plan.steps.length);
    // The first call of each Worker loads its configuration.
    await openLoop({ targets: targets.slice(0, HOSTS), perSecond: 50, forMs: 500 });
    const [taken, calls] = await callAndRevoke(plan, stage, targets);
    const revoked = taken.map((step, n) => aftermath(step, callsOf(n, calls)));
    return verdict(revoked, calls);
  });
}

/** The n-th victim calls the h-th host at target `n * HOSTS + h`: isolates first, then Workers. */
async function victimsAt(fleet: Fleet, count: number): Promise<readonly Target[]> {
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => fleet.join()));
  const targets = await inTurns(count, 4, async (n) => {
    const edge = await fleet.authority.token(victim(n), EDGE, TTL_SECONDS);
    const worker = await fleet.authority.token(victim(n), WORKER, TTL_SECONDS);
    return [
      ...fleet.isolates.map(({ port }) => ({ port, headers: fieldsOf("web", edge) })),
      ...workers.map(({ port }) => ({ port, headers: fieldsOf("caller", worker) })),
    ];
  });
  return targets.flat();
}

function callAndRevoke(
  plan: Plan,
  stage: Stage,
  targets: readonly Target[],
): Promise<readonly [readonly Taken[], readonly Call[]]> {
  const aim = (n: number, atMs: number): number => Math.floor(atMs / EVERY_MS) * HOSTS + (n % HOSTS);
  const forMs = plan.steps.length * EVERY_MS;
  return Promise.all([play(plan, stage), openLoop({ targets, aim, perSecond: plan.perSecond, forMs })]);
}

function callsOf(n: number, calls: readonly Call[]): readonly Call[] {
  return calls.filter(({ target }) => Math.floor(target / HOSTS) === n);
}

interface Aftermath {
  /** From the acknowledgement to the end of the last call that was let in; infinite if a host refused none. */
  readonly edgeMs: number | null;
  readonly workerMs: number | null;
  /** Neither let in nor refused for the revocation, or refused without one. */
  readonly failed: number;
}

function aftermath({ act, from, at }: Taken, calls: readonly Call[]): Aftermath {
  const audience = act.kind === "revoke" ? act.withdrawal.audience : null;
  const isConcerned = ({ target }: Call): boolean =>
    audience === null || (audience === EDGE) === target % HOSTS < ISOLATES;
  const isRight = (call: Call): boolean =>
    call.status === 200 || (call.status === 401 && isConcerned(call) && call.at + call.ms >= from);
  const concerned = calls.filter(isConcerned);
  const hosts = Array.from({ length: HOSTS }, (_, host) =>
    concerned.filter(({ target }) => target % HOSTS === host),
  );
  return {
    edgeMs: lagOf(hosts.slice(0, ISOLATES), at),
    workerMs: lagOf(hosts.slice(ISOLATES), at),
    failed: calls.filter((call) => !isRight(call)).length,
  };
}

/** Of the slowest host; `null` where the revocation concerns none. */
function lagOf(hosts: readonly (readonly Call[])[], at: number): number | null {
  const lags = hosts
    .filter((calls) => calls.length > 0)
    .map((calls) => {
      const letIn = calls.filter(({ status }) => status === 200).map((call) => call.at + call.ms - at);
      return letIn.length === calls.length ? Infinity : Math.max(0, ...letIn);
    });
  return lags.length === 0 ? null : Math.max(...lags);
}

function verdict(revoked: readonly Aftermath[], calls: readonly Call[]): Verdict {
  const edge = revoked.flatMap(({ edgeMs }) => edgeMs ?? []);
  const worker = revoked.flatMap(({ workerMs }) => workerMs ?? []);
  const all = revoked.map(({ edgeMs, workerMs }) => Math.max(edgeMs ?? 0, workerMs ?? 0));
  const failed = revoked.reduce((sum, each) => sum + each.failed, 0);
  const p99 = quantile(all, 0.99);
  return judge(
    {
      isolates: ISOLATES,
      workers: WORKERS,
      revocations: revoked.length,
      calls: calls.length,
      lateMs: lateness(calls),
      statuses: statuses(calls),
      failed,
      edge: quantiles(edge),
      worker: quantiles(worker),
      p50Ms: round(quantile(all, 0.5)),
      p99Ms: round(p99),
    },
    [
      { figure: "failed", value: failed, atMost: 0 },
      { figure: "p99Ms", value: p99, atMost: 1_000 },
    ],
  );
}

function quantiles(lags: readonly number[]): { readonly p50Ms: number; readonly p99Ms: number } {
  return { p50Ms: round(quantile(lags, 0.5)), p99Ms: round(quantile(lags, 0.99)) };
}
