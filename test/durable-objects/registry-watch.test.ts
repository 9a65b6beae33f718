import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, expect, test } from "vitest";
import { DIRECTORY, serviceKey } from "../../shared/engine/snapshot.ts";
import type { SyncAnswer, SyncRequest } from "../../shared/wire/registry-rpc.ts";
import { apply, refTo, registry, service, settled, stub } from "./registry-kit.ts";

afterEach(reset);

const key = (name: string) => serviceKey(`shop/${name}`);
const versionNow = async () => (await registry().status()).version;
const told = ({ version, units, missing }: SyncAnswer) => [version, units.map(([unit]) => unit), missing];

/** A watch from the version in force. Resolved once the registry has certainly taken it. */
async function watch(request: Partial<SyncRequest>): Promise<{ readonly answer: Promise<SyncAnswer> }> {
  const version = await versionNow();
  const full = { version, held: [DIRECTORY], wanted: [], waitMs: 20_000, ...request };
  const answer = settled(() => registry().sync(full));
  // Looked at later; a rejection is not lost.
  answer.catch(() => undefined);
  await registry().status();
  return { answer };
}

test("an answer is held until a unit that it names changes", async () => {
  await apply([service("a"), service("b")]);
  const { answer } = await watch({ held: [DIRECTORY, key("a")] });
  const version = await versionNow();
  await apply([service("b", 81)]);
  await apply([service("a", 81)]);

  expect(told(await answer)).toEqual([version + 2, [key("a")], []]);
});

test("what does not exist is told when it does, and what goes when it is gone", async () => {
  await apply([service("a")]);
  const { answer: born } = await watch({ held: [DIRECTORY, key("late")] });
  const { answer: gone } = await watch({ held: [DIRECTORY, key("a")] });
  const version = await versionNow();
  await apply([service("late")]);
  await registry().remove([refTo(service("a"))], "ada");

  expect(told(await born)).toEqual([version + 1, [key("late")], []]);
  expect(told(await gone)).toEqual([version + 2, [], [key("a")]]);
});

test("published endpoints are news like any other", async () => {
  await apply([service("a")]);
  const { answer } = await watch({ held: [DIRECTORY, key("a")] });
  await registry().publishEjections({ service: "shop/a", sequence: 1, ejected: [] });
  const registered = {
    id: "x",
    address: "https://x.example",
    labels: {},
    weight: 1,
    health: "healthy",
    isJoined: false,
    serviceAccount: null,
  } as const;
  await registry().publishEndpoints({ service: "shop/a", sequence: 1, endpoints: [registered] });

  expect((await answer).units.map(([unit]) => unit)).toEqual([key("a")]);
});

test("when the time is over, the version in force is told, whatever it counted meanwhile", async () => {
  await apply([service("a"), service("b")]);
  const version = await versionNow();
  const { answer } = await watch({ held: [DIRECTORY, key("a")], waitMs: 300 });
  await apply([service("b", 81)]);

  expect(told(await answer)).toEqual([version + 1, [], []]);
});

test.each<[string, Partial<SyncRequest>]>([
  ["there is news already", { version: 1, held: [DIRECTORY, key("a")] }],
  ["something is wanted", { wanted: [key("a")] }],
  ["it may not wait", { waitMs: 0 }],
  ["more is named than the registry remembers", { held: Array.from({ length: 500_001 }, (_, n) => `x${n}`) }],
])("is answered at once when %s", async (_, request) => {
  await apply([service("a")]);
  const before = Date.now();
  await (
    await watch(request)
  ).answer;

  expect(Date.now() - before).toBeLessThan(10_000);
});

test("a registry that dies breaks the watch off, and the next one is told what it missed", async () => {
  await apply([service("a")]);
  const version = await versionNow();
  const { answer } = await watch({ held: [DIRECTORY, key("a")] });
  const dying = runInDurableObject(stub(), (_, state) => state.abort("killed by the test"));
  await expect(dying).rejects.toThrow();
  await apply([service("a", 81)]);

  await expect(answer).rejects.toThrow("killed by the test");
  const { answer: next } = await watch({ version, held: [DIRECTORY, key("a")] });
  expect(told(await next)).toEqual([version + 1, [key("a")], []]);
});

test("a change that did not happen wakes nobody", async () => {
  await apply([service("a")]);
  const version = await versionNow();
  const { answer } = await watch({ held: [DIRECTORY, key("a")], waitMs: 500 });
  await apply([service("a", 81)], { dryRun: true });

  expect(told(await answer)).toEqual([version, [], []]);
});
