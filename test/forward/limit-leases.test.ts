import { expect, test } from "vitest";
import * as lease from "../../shared/engine/limit-lease.ts";
import type { Pool } from "../../shared/engine/limit-lease.ts";
import type { RateLimit } from "../../shared/engine/limit.ts";
import { MAX_LEASES } from "../../shared/forward/limit-leases.ts";
import { takeAll } from "../../shared/forward/limits.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";

const RATE = { requests: 100, perMs: 1_000, burst: 100 };
const LIMIT: RateLimit = {
  policy: "shop/limit",
  mode: "leased",
  rate: RATE,
  key: [{ kind: "caller" }],
  whenUnavailable: "deny",
};

/** A host whose object answers after `tripMs`, from one pool for all keys. */
function leasing(tripMs = 5): MeshKit {
  const kit = meshKit();
  let pool: Pool | undefined;
  kit.control.lease = async (request) => {
    kit.calls.leases.push(request);
    await kit.mesh.ports.sleep(tripMs);
    const id = `${kit.calls.leases.length}`;
    const granted = lease.grant(pool, request.rate, request.ask, { now: kit.now(), id });
    pool = granted.pool;
    return granted.grant;
  };
  return kit;
}

/** Calls at once; how many were admitted. */
async function burst(kit: MeshKit, calls: number, changes: Partial<RateLimit> = {}): Promise<number> {
  const each = { ...LIMIT, ...changes };
  const decisions = await kit.run(Promise.all(Array.from({ length: calls }, () => decide(kit, each))));
  return decisions.filter(({ kind }) => kind === "admit").length;
}

function decide(kit: MeshKit, each: RateLimit, caller = "a"): ReturnType<typeof takeAll> {
  const input = { caller, method: "GET", path: "/", query: "", headers: new Headers(), address: () => null };
  return takeAll(kit.mesh, [each], input);
}

test("calls that come together share one asking, and all of them get what there is", async () => {
  const kit = leasing();

  expect(await burst(kit, 60)).toBe(60);
  expect(kit.calls.leases.length).toBeLessThanOrEqual(2);
});

test("admits no more than there is, says when to come back, and asks no sooner", async () => {
  const kit = leasing();
  expect(await burst(kit, 150)).toBeLessThanOrEqual(105);
  const asked = kit.calls.leases.length;

  const refused = await kit.run(decide(kit, LIMIT));

  const retryAfterMs = refused.kind === "refusal" ? (refused.problem.retryAfterMs ?? 0) : 0;
  expect(refused).toMatchObject({
    problem: { code: "ratelimit.exceeded" },
    headers: [expect.anything(), expect.anything()],
  });
  expect(kit.calls.leases.length).toBe(asked);
  await kit.advance(retryAfterMs);
  expect(await burst(kit, 1)).toBe(1);
});

test("gives back what it has leased for traffic that is gone", async () => {
  const kit = leasing();
  const wide = { rate: { requests: 1_000, perMs: 1_000, burst: 1_000 } };
  for (let round = 0; round < 15; round += 1) {
    await burst(kit, 4, wide);
    await kit.advance(20);
  }
  const before = kit.calls.leases.length;
  for (let round = 0; round < 2; round += 1) {
    await kit.advance(230);
    await burst(kit, 1, wide);
  }

  const asks = kit.calls.leases.slice(before).map(({ ask }) => ask);
  const [held] = kit.mesh.state.leases.values();
  expect(lease.count(held?.lease?.slots ?? [])).toBeLessThan(10);
  expect(asks).toEqual([
    { calls: 0, withinMs: 0, returned: { id: `${before}`, slots: [expect.anything()] } },
  ]);
});

test("while the object is out of reach, calls do not wait for it one by one, and it is found again", async () => {
  const kit = leasing();
  const { lease: works } = kit.control;
  let asked = 0;
  kit.control.lease = () => {
    asked += 1;
    return new Promise(() => undefined);
  };
  expect(await burst(kit, 3)).toBe(0);
  const before = kit.now();
  expect(await burst(kit, 20, { whenUnavailable: "allow" })).toBe(20);
  expect([kit.now() - before, asked]).toEqual([0, 1]);

  kit.control.lease = works;
  await kit.advance(1_000);
  expect(await burst(kit, 1)).toBe(1);
});

test("leases are bounded", async () => {
  const kit = leasing();
  const { leases } = kit.mesh.state;
  await burst(kit, 1);
  const [first] = leases.values();
  if (first === undefined) throw new Error("nothing was leased");
  for (let n = 1; n < MAX_LEASES; n += 1) leases.set(`${n}`, first);

  await kit.run(decide(kit, LIMIT, "newest"));

  expect(leases.size).toBe(MAX_LEASES);
  expect([...leases.keys()].at(-1)).toContain("newest");
});
