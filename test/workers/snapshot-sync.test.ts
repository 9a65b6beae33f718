import { reset } from "cloudflare:test";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Env } from "../../durable-objects/env.ts";
import { DIRECTORY, serviceKey } from "../../shared/engine/snapshot.ts";
import type { SyncAnswer, SyncRequest } from "../../shared/wire/registry-rpc.ts";
import { sync } from "../../workers/edge/snapshot-sync.ts";
import { apply, registry, service } from "../durable-objects/registry-kit.ts";
import { signing, storeAll } from "../durable-objects/snapshot-kit.ts";

const COLD: SyncRequest = { version: 0, held: [], wanted: [DIRECTORY] };

beforeEach(async () => {
  vi.spyOn(console, "log").mockReturnValue();
  await apply([service("a")]);
  await storeAll();
});

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

/** The mesh with a registry that behaves as a test says. */
function meshWith(behave: (request: SyncRequest) => Promise<SyncAnswer>, changes: Partial<Env> = {}): Env {
  const REGISTRY = { getByName: () => ({ sync: behave }) } as unknown as Env["REGISTRY"];
  return { ...signing, ...changes, REGISTRY };
}

const fail = () => Promise.reject(new Error("out of reach"));
const hang = () => new Promise<never>(() => undefined);

const slow = async (request: SyncRequest): Promise<SyncAnswer> => {
  await new Promise((resolve) => setTimeout(resolve, 1_300));
  return registry().sync(request);
};

test("the registry's answer is the answer while there is one", async () => {
  const answer = await sync(
    meshWith((request) => registry().sync(request)),
    COLD,
  );

  expect([answer.stored, answer.version]).toEqual([undefined, 2]);
});

test("a host that lacks units is answered from the store when the registry fails", async () => {
  const answer = await sync(meshWith(fail), COLD);

  expect([answer.stored, answer.version, answer.units.map(([key]) => key)]).toEqual([
    { refused: 0 },
    1,
    [DIRECTORY],
  ]);
});

test("a registry that hangs is waited for a second, and then much less", async () => {
  const env = meshWith(hang);
  const times: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    const from = Date.now();
    expect((await sync(env, COLD)).stored).toEqual({ refused: 0 });
    times.push(Date.now() - from);
  }

  expect(times[0]).toBeGreaterThanOrEqual(1_000);
  expect(Math.max(...times.slice(1))).toBeLessThan(900);
});

test.each<[string, SyncRequest]>([
  ["only asks for changes", { version: 2, held: [DIRECTORY], wanted: [] }],
  ["watches", { version: 2, held: [DIRECTORY], wanted: [], waitMs: 20_000 }],
])("a host that %s is never answered from the store", async (_, request) => {
  await expect(sync(meshWith(fail), request)).rejects.toThrow("out of reach");
});

test("what the store lacks is left out when the registry fails, and waited for when it is slow", async () => {
  const late = serviceKey("shop/late");
  const request = { ...COLD, wanted: [DIRECTORY, late] };
  const failed = await sync(meshWith(fail), request);
  await apply([service("late")]);
  const answered = await sync(meshWith(slow), request);

  expect([failed.units.map(([key]) => key), failed.missing]).toEqual([[DIRECTORY], []]);
  expect([answered.stored, answered.units.map(([key]) => key)]).toEqual([undefined, [DIRECTORY, late]]);
});

test("a store that is not to be believed changes nothing", async () => {
  const env = meshWith(fail, { SELVEDGE_ADMIN_TOKEN_SHA256: "6".repeat(64) });

  await expect(sync(env, COLD)).rejects.toThrow("out of reach");
});
