import { expect, test } from "vitest";
import type { RateLimit } from "../../shared/engine/limit.ts";
import { MAX_BUCKETS, takeAll } from "../../shared/forward/limits.ts";
import type { Refusal } from "../../shared/forward/refusal.ts";
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

function take(
  kit: MeshKit,
  limits: readonly RateLimit[],
  caller: string | null = "a",
): Promise<Refusal | null> {
  return kit.run(takeAll(kit.mesh, limits, { caller, method: "GET", path: "/", headers: new Headers() }));
}

test("refuses what is above the rate, with the headers that tell when to come back", async () => {
  const kit = meshKit();

  const outcomes = [await take(kit, [limit()]), await take(kit, [limit()]), await take(kit, [limit()])];

  expect(outcomes.slice(0, 2)).toEqual([null, null]);
  expect(outcomes[2]).toMatchObject({
    problem: { code: "ratelimit.exceeded", retryAfterMs: 30_000 },
    headers: [
      ["ratelimit-policy", '"shop/limit";q=2;w=60'],
      ["ratelimit", '"shop/limit";r=0;t=30'],
    ],
  });
  expect(await take(kit, [limit()], "b")).toBeNull();
  await kit.advance(30_000);
  expect(await take(kit, [limit()])).toBeNull();
});

test("every limit must admit the call", async () => {
  const kit = meshKit();
  const narrow = limit({ policy: "shop/narrow", rate: { requests: 1, perMs: 1_000, burst: 1 } });

  expect(await take(kit, [limit(), narrow])).toBeNull();
  expect(await take(kit, [limit(), narrow])).toMatchObject({
    headers: [["ratelimit-policy", '"shop/narrow";q=1;w=1'], expect.anything()],
  });
});

test.each<["allow" | "deny", string | null, () => Promise<never>]>([
  ["allow", null, () => Promise.reject(new Error("down"))],
  ["deny", "ratelimit.unavailable", () => Promise.reject(new Error("down"))],
  ["deny", "ratelimit.unavailable", () => new Promise(() => undefined)],
])("a strict limit out of reach does what its policy says: %s", async (whenUnavailable, code, behavior) => {
  const kit = meshKit();
  kit.control.take = behavior;
  const before = kit.now();

  const refusal = await take(kit, [limit({ mode: "strict", whenUnavailable })]);

  expect(refusal?.problem.code ?? null).toBe(code);
  expect(kit.now() - before).toBeLessThanOrEqual(1_000);
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
  expect(await take(kit, [forLong], "in use")).not.toBeNull();
});

/** Without the turns of the event loop that `run` lets pass: there are thousands. */
async function takeQuietly(kit: MeshKit, each: RateLimit, n: number): Promise<void> {
  await takeAll(kit.mesh, [each], { caller: `${n}`, method: "GET", path: "/", headers: new Headers() });
}
