import { expect, test } from "vitest";
import type { KeyInput } from "../../shared/engine/limit-key.ts";
import type { RateLimit } from "../../shared/engine/limit.ts";
import { MAX_BUCKETS, takeAll } from "../../shared/forward/limits.ts";
import type { LimitsDecision } from "../../shared/forward/limits.ts";
import type { Limiter } from "../../shared/forward/ports.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";

function limit(changes: Partial<RateLimit> = {}): RateLimit {
  const rate = { requests: 2, perMs: 60_000, burst: 2 };
  return {
    policy: "shop/limit",
    mode: "local",
    rate,
    key: [{ kind: "caller" }],
    whenUnavailable: "deny",
    ...changes,
  };
}

const ADMIT: LimitsDecision = { kind: "admit", fields: [] };
const ONCE = { requests: 1, perMs: 60_000, burst: 1 };
const down = (): Promise<never> => Promise.reject(new Error("down"));
const silent = (): Promise<never> => new Promise(() => undefined);

function inputOf(caller: string | null): KeyInput {
  const headers = new Headers();
  return { caller, method: "GET", path: "/", query: "", headers, address: () => null };
}

function take(
  kit: MeshKit,
  limits: readonly RateLimit[],
  caller: string | null = "a",
): Promise<LimitsDecision> {
  return kit.run(takeAll(kit.mesh, limits, inputOf(caller)));
}

/** The code of a refusal; `null` when the call was admitted. */
function codeOf(decision: LimitsDecision): string | null {
  return decision.kind === "refusal" ? decision.problem.code : null;
}

test("refuses what is above the rate, with the headers that tell when to come back", async () => {
  const kit = meshKit();

  const outcomes = [await take(kit, [limit()]), await take(kit, [limit()]), await take(kit, [limit()])];

  expect(outcomes.slice(0, 2)).toEqual([ADMIT, ADMIT]);
  expect(outcomes[2]).toMatchObject({
    problem: { code: "ratelimit.exceeded", retryAfterMs: 30_000 },
    headers: [
      ["ratelimit-policy", '"shop/limit";q=2;w=60'],
      ["ratelimit", '"shop/limit";r=0;t=30'],
    ],
  });
  expect(await take(kit, [limit()], "b")).toEqual(ADMIT);
  await kit.advance(30_000);
  expect(await take(kit, [limit()])).toEqual(ADMIT);
});

test("every limit must admit the call", async () => {
  const kit = meshKit();
  const narrow = limit({ policy: "shop/narrow", rate: { requests: 1, perMs: 1_000, burst: 1 } });

  expect(await take(kit, [limit(), narrow])).toEqual(ADMIT);
  expect(await take(kit, [limit(), narrow])).toMatchObject({
    headers: [["ratelimit-policy", '"shop/narrow";q=1;w=1'], expect.anything()],
  });
});

test.each<[string, Partial<RateLimit>]>([
  ["a local one", { rate: ONCE }],
  ["a strict one", { mode: "strict" }],
  ["a binding", { binding: "LIMITER" }],
])("a call that %s refuses is charged to no local limit", async (_what, changes) => {
  const refusing: Limiter = { limit: async () => ({ success: false }) };
  const kit = meshKit({ limiters: { LIMITER: refusing } });
  kit.control.take = async () => ({ isAdmitted: false, remaining: 0, retryAfterMs: 5 });
  const wide = limit({ policy: "shop/wide" });
  const other = limit({ policy: "shop/other", ...changes });
  if (changes.rate !== undefined) await take(kit, [other]);

  expect(codeOf(await take(kit, [wide, other]))).toBe("ratelimit.exceeded");
  expect([await take(kit, [wide]), await take(kit, [wide])]).toEqual([ADMIT, ADMIT]);
});

test("asks no object for a call that the isolate itself refuses", async () => {
  const kit = meshKit();
  const limits = [limit({ policy: "shop/strict", mode: "strict" }), limit({ rate: ONCE })];

  expect([codeOf(await take(kit, limits)), codeOf(await take(kit, limits))]).toEqual([
    null,
    "ratelimit.exceeded",
  ]);
  expect(kit.calls.takes).toHaveLength(1);
});

test.each<["allow" | "deny", string | null, () => Promise<never>]>([
  ["allow", null, down],
  ["allow", null, silent],
  ["deny", "ratelimit.unavailable", down],
  ["deny", "ratelimit.unavailable", silent],
])("a limit out of reach does what its policy says: %s", async (whenUnavailable, code, behavior) => {
  for (const changes of [{ mode: "strict" }, { mode: "leased" }, { binding: "LIMITER" }] as const) {
    const kit = meshKit({ limiters: { LIMITER: { limit: behavior } } });
    kit.control.take = behavior;
    kit.control.lease = behavior;
    const before = kit.now();

    expect(codeOf(await take(kit, [limit({ ...changes, whenUnavailable })]))).toBe(code);
    expect(kit.now() - before).toBeLessThanOrEqual(1_000);
  }
});

test("a limit in shadow mode counts what it would refuse, and refuses nothing", async () => {
  const kit = meshKit();
  kit.control.take = async () => ({ isAdmitted: false, remaining: 0, retryAfterMs: 5 });
  const shadows = [
    limit({ policy: "shop/a", rate: ONCE, isShadow: true }),
    limit({ policy: "shop/b", mode: "strict", isShadow: true }),
  ];

  const decisions = [await take(kit, shadows), await take(kit, shadows)];

  expect(decisions).toEqual([ADMIT, ADMIT]);
  expect(kit.mesh.state.meter.host.shadowedCalls).toBe(3);
});

test("tells admitted calls what is left where policies ask for it, but of no shadow limit", async () => {
  const kit = meshKit();
  kit.control.take = async () => ({ isAdmitted: true, remaining: 7, retryAfterMs: 0 });
  const limits = [
    limit({ isTold: true }),
    limit({ policy: "shop/strict", mode: "strict", isTold: true }),
    limit({ policy: "shop/quiet" }),
    limit({ policy: "shop/shadow", isShadow: true, isTold: true }),
  ];

  expect(await take(kit, limits)).toEqual({
    kind: "admit",
    fields: [
      ["ratelimit-policy", '"shop/limit";q=2;w=60, "shop/strict";q=2;w=60'],
      ["ratelimit", '"shop/limit";r=1;t=30, "shop/strict";r=7'],
    ],
  });
});

test("a binding is asked by the limit's key, and one that the host has not is told of once", async () => {
  const asked: string[] = [];
  const limiter: Limiter = {
    limit: async ({ key }) => {
      asked.push(key);
      return { success: true };
    },
  };
  const kit = meshKit({ limiters: { LIMITER: limiter } });
  const limits = [limit({ binding: "LIMITER" }), limit({ policy: "shop/other", binding: "MISSING" })];

  expect([await take(kit, limits), await take(kit, limits)]).toEqual([ADMIT, ADMIT]);
  expect(codeOf(await take(kit, limits))).toBe("ratelimit.exceeded");
  const key = "10:shop/limit 2/60000+2 caller 1:a";
  expect(asked).toEqual([key, key]);
  expect(kit.lines.filter(({ event }) => event === "ratelimit.unbound")).toEqual([
    { event: "ratelimit.unbound", policy: "shop/other", binding: "MISSING" },
  ]);
});

test("buckets are bounded, and those in use outlive those that are full again", async () => {
  const kit = meshKit();
  const forLong = limit({ rate: { requests: 1, perMs: 3_600_000, burst: 1 } });
  await take(kit, [forLong], "in use");
  for (let n = 0; n < MAX_BUCKETS / 2; n++)
    await takeQuietly(kit, limit({ rate: { requests: 1, perMs: 1, burst: 1 } }), n);
  await kit.advance(1_000);
  for (let n = 0; n < (3 * MAX_BUCKETS) / 4; n++) await takeQuietly(kit, limit({ policy: "shop/more" }), n);

  expect(kit.mesh.state.buckets.size).toBeLessThanOrEqual(MAX_BUCKETS);
  expect(codeOf(await take(kit, [forLong], "in use"))).not.toBeNull();
});

/** Without the turns of the event loop that `run` lets pass: there are thousands. */
async function takeQuietly(kit: MeshKit, each: RateLimit, n: number): Promise<void> {
  await takeAll(kit.mesh, [each], inputOf(`${n}`));
}
