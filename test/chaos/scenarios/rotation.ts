/**
 * Whether a call fails while everything that proves identity is replaced:
 * signing keys, intermediate and root of the authority, and certificates and
 * tokens of those who call.
 *
 * @module
 */
import { ROOT_PUBLISHED_FIRST_MS } from "../../../durable-objects/certificate-ring.ts";
import { PUBLISHED_FIRST_MS } from "../../../durable-objects/key-ring.ts";
import { meshAudience, spiffeId } from "../../../shared/identity/spiffe.ts";
import type { Authority, Rotation } from "../authority.ts";
import { access, joinedWorker, NAMESPACE } from "../documents.ts";
import { lateness, quantile, round, statuses } from "../figures.ts";
import { fieldsOf, TRUST_DOMAIN, type Fleet } from "../fleet.ts";
import { type Call, openLoop, type Target } from "../load.ts";
import { every, joinAsMember, type Member } from "../member.ts";
import { play, type Plan, type Step } from "../plan.ts";
import { judge, onStage, type Scenario, type Verdict } from "../scenario.ts";

const ISOLATES = 3;

/** The slowest renews as hosts do, at half the life of a token: it calls with keys that others have followed. */
const CALLERS = [
  { name: "client-1", renewsEveryMs: 10_000, expects: 200 },
  { name: "client-2", renewsEveryMs: 20_000, expects: 200 },
  { name: "client-3", renewsEveryMs: 45_000, expects: 200 },
  { name: "client-4", renewsEveryMs: 150_000, expects: 200 },
  { name: "stranger", renewsEveryMs: 30_000, expects: 403 },
];

/** The authority and its alarm, on a machine with other work. */
const GRACE_MS = 5_000;

const EDGE = meshAudience(TRUST_DOMAIN);
const WORKER = spiffeId(TRUST_DOMAIN, NAMESPACE, "caller");

interface Turn {
  readonly atMs: number;
  readonly what: Rotation;
  /** From when it is asked for until it must have happened. */
  readonly takesMs: number;
}

const KEY_TAKES_MS = PUBLISHED_FIRST_MS + GRACE_MS;

/** A key is asked for once the one before has come to sign, and waits until hosts have had it for a minute. */
const TURNS: readonly Turn[] = [
  { atMs: 500, what: "root", takesMs: ROOT_PUBLISHED_FIRST_MS + GRACE_MS },
  { atMs: 1_000, what: "intermediate", takesMs: 0 },
  ...[0, 1, 2].map((n): Turn => ({
    atMs: 1_500 + n * KEY_TAKES_MS,
    what: "signing-key",
    takesMs: KEY_TAKES_MS,
  })),
];

/** Ten minutes until the new root signs, and one in which the busy workloads renew below it. */
const FOR_MS = ROOT_PUBLISHED_FIRST_MS + 60_000;

/** In a shorter run less is rotated: what would not happen before its end is not asked for. */
export const rotation: Scenario = {
  shows: "3 signing keys, an intermediate and a root are replaced under calls with tokens that are renewed",
  size: { forMs: FOR_MS, perSecond: 60 },
  steps: ({ forMs }) =>
    TURNS.filter(({ atMs, takesMs }) => atMs + takesMs <= forMs).map(({ atMs, what }): Step => ({
      atMs,
      act: { kind: "rotate", what },
    })),
  run,
};

/** Members call; the stranger proves who it is as they do, and is kept out. */
const POLICIES = ["web", "caller"].flatMap((app) => [
  access(app, "ALLOW", { namespaces: [NAMESPACE] }),
  access(app, "DENY", { principals: [`${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/stranger`] }),
]);

function run(plan: Plan): Promise<Verdict> {
  const documents = [...joinedWorker("binding:CALLER"), ...POLICIES];
  const options = { upstreams: ["a", "b"], isolates: ISOLATES, hasCaller: true, documents };
  return onStage(plan, options, async (stage) => {
    const { authority } = stage.fleet;
    const worker = await stage.fleet.join();
    const callers = await Promise.all(CALLERS.map((caller) => joinAs(caller, authority)));
    const targets = callers.flatMap((caller) => targetsOf(caller, stage.fleet, worker));
    // The first call of each isolate and of the Worker loads its configuration.
    await openLoop({ targets, perSecond: 50, forMs: 1_000 });
    const known = await authority.roots();
    const until = Date.now() + plan.forMs;
    const [calls, renewals] = await Promise.all([
      openLoop({ targets, perSecond: plan.perSecond, forMs: plan.forMs }),
      Promise.all(callers.map((caller) => renew(caller, { until, known, authority }))),
      play(plan, stage),
    ]);
    const expected = targets.map(({ expects }) => expects);
    return verdict(plan, {
      calls,
      failed: calls.filter(({ target, status }) => status !== expected[target]),
      renewals,
      turned: await turnedBy(authority, callers),
    });
  });
}

interface Caller {
  readonly member: Member;
  readonly renewsEveryMs: number;
  /** The status of its calls. */
  readonly expects: number;
}

async function joinAs({ name, ...rest }: (typeof CALLERS)[number], authority: Authority): Promise<Caller> {
  const workload = `${NAMESPACE}/${name}`;
  const audiences = [EDGE, WORKER];
  const member = await joinAsMember({ workload, audiences, trustDomain: TRUST_DOMAIN, authority });
  return { member, ...rest };
}

interface Aimed extends Target {
  readonly expects: number;
}

/** `web` at each isolate, the joined Worker behind each, and one that is called directly. */
function targetsOf({ member, expects }: Caller, fleet: Fleet, worker: Target): readonly Aimed[] {
  const to = (port: number, service: string, audience: string): Aimed => ({
    port,
    expects,
    // Looked at by every call: what is renewed is used from then on.
    get headers() {
      return fieldsOf(service, member.tokenFor(audience));
    },
  });
  return [
    ...fleet.isolates.map(({ port }) => to(port, "web", EDGE)),
    ...fleet.isolates.map(({ port }) => to(port, "caller", EDGE)),
    to(worker.port, "caller", WORKER),
  ];
}

interface Renewals {
  readonly count: number;
  readonly failures: readonly unknown[];
  /** Certificates that a peer does not believe: one that has the bundle, or one that has not fetched it since the begin. */
  readonly doubted: number;
}

async function renew(
  { member, renewsEveryMs }: Caller,
  { until, known, authority }: { until: number; known: readonly string[]; authority: Authority },
): Promise<Renewals> {
  let count = 0;
  let doubted = 0;
  const failures = await every({ ms: renewsEveryMs, until }, async () => {
    await member.renew();
    count += 1;
    for (const roots of [known, await authority.roots()])
      if (!(await member.isBelievedBy(roots))) doubted += 1;
  });
  return { count, failures, doubted };
}

type Turned = Readonly<Record<Rotation, number>>;

/** What has changed for those who call: by what they were issued, and by the roots that gave way. */
async function turnedBy(authority: Authority, callers: readonly Caller[]): Promise<Turned> {
  const { roots } = await authority.status();
  const keys = new Set(callers.flatMap(({ member }) => [...member.signers.keys]));
  const intermediates = new Set(callers.flatMap(({ member }) => [...member.signers.intermediates]));
  return {
    "signing-key": keys.size - 1,
    intermediate: intermediates.size - 1,
    root: roots.filter(({ state }) => state === "previous").length,
  };
}

interface Seen {
  readonly calls: readonly Call[];
  readonly failed: readonly Call[];
  readonly renewals: readonly Renewals[];
  readonly turned: Turned;
}

function verdict({ steps }: Plan, { calls, failed, renewals, turned }: Seen): Verdict {
  const sum = (of: (each: Renewals) => number): number =>
    renewals.reduce((total, each) => total + of(each), 0);
  const wanted = (what: Rotation): number =>
    steps.filter(({ act }) => act.kind === "rotate" && act.what === what).length;
  const failures = renewals.flatMap((each) => each.failures);
  const doubted = sum((each) => each.doubted);
  return judge(
    {
      calls: calls.length,
      lateMs: lateness(calls),
      statuses: statuses(calls),
      failed: failed.length,
      firstFailures: failed.slice(0, 5).map(({ at, status, target }) => ({ at, status, target })),
      renewals: sum(({ count }) => count),
      failedRenewals: failures.map(String),
      doubted,
      turned,
      p99Ms: round(
        quantile(
          calls.map(({ ms }) => ms),
          0.99,
        ),
      ),
    },
    [
      { figure: "failed", value: failed.length, atMost: 0 },
      { figure: "failedRenewals", value: failures.length, atMost: 0 },
      { figure: "doubted", value: doubted, atMost: 0 },
      { figure: "signing keys", value: turned["signing-key"], atLeast: wanted("signing-key") },
      { figure: "roots", value: turned.root, atLeast: wanted("root") },
      // A root that takes over brings an intermediate of its own.
      {
        figure: "intermediates",
        value: turned.intermediate,
        atLeast: wanted("intermediate") + wanted("root"),
      },
    ],
  );
}
