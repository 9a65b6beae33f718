import { reset } from "cloudflare:test";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HEAD, nameOf, sealOf, unitBody } from "../../durable-objects/snapshot-entry.ts";
import { DIRECTORY, serviceKey } from "../../shared/engine/snapshot.ts";
import type { SyncAnswer } from "../../shared/wire/registry-rpc.ts";
import { openStore, type SnapshotStore } from "../../workers/edge/snapshot-store.ts";
import { apply, meshRoute, refTo, registry, service } from "../durable-objects/registry-kit.ts";
import { kv, signing, storeAll } from "../durable-objects/snapshot-kit.ts";

const key = (name: string) => serviceKey(`shop/${name}`);
const HOUR = 3_600_000;

beforeEach(async () => {
  await apply([service("a"), service("b"), service("c"), meshRoute("a", ["b"])]);
  await apply([service("c", 81)]);
  await registry().remove([refTo(service("c"))], "ada");
  await storeAll();
});

afterEach(reset);

function open(changes: Partial<typeof signing> = {}, aheadMs = 0): SnapshotStore {
  const store = openStore({ ...signing, ...changes }, () => Date.now() + aheadMs);
  if (store === null) throw new Error("no store");
  return store;
}

const told = ({ version, units, missing, stored }: SyncAnswer) => ({
  version,
  units: units.map(([unit]) => unit).toSorted(),
  missing,
  refused: stored?.refused,
});

/** A namespace that counts the keys that it is asked for. */
function counting(): { readonly SNAPSHOTS: KVNamespace; readonly asked: string[] } {
  const asked: string[] = [];
  const SNAPSHOTS = new Proxy(kv(), {
    get: (target, name) =>
      name === "get"
        ? (names: string[], options: KVNamespaceGetOptions<"text">) => {
            asked.push(...[names].flat());
            return target.get(names, options);
          }
        : Reflect.get(target, name),
  });
  return { SNAPSHOTS, asked };
}

async function put(name: string, body: string, entry: string): Promise<void> {
  await kv().put(entry, (await (await sealOf(signing))?.close(name, body)) ?? "");
}

test("tells what the registry would have told, as of the oldest of it", async () => {
  const answer = await open().read([DIRECTORY, key("a")]);
  const { units } = await registry().sync({ version: 0, held: [], wanted: [DIRECTORY, key("a")] });

  expect(told(answer)).toEqual({
    version: 1,
    units: [DIRECTORY, key("a"), key("b")],
    missing: [],
    refused: 0,
  });
  expect(new Map(answer.units)).toEqual(new Map(units));
});

test("tells of what is gone, and nothing of what it never heard of", async () => {
  expect(told(await open().read([key("b"), key("c"), key("ghost")]))).toEqual({
    version: 2,
    units: [key("b")],
    missing: [key("c")],
    refused: 0,
  });
});

test.each<[string, () => Promise<void>]>([
  ["another unit's entry", async () => kv().put(await nameOf(key("b")), await textOf(DIRECTORY))],
  [
    "an entry that was cut",
    async () => kv().put(await nameOf(key("b")), (await textOf(key("b"))).slice(0, -5)),
  ],
  [
    "an entry that was changed",
    async () => kv().put(await nameOf(key("b")), (await textOf(key("b"))).replace('"port":80', '"port":66')),
  ],
  ["what is no entry", async () => kv().put(await nameOf(key("b")), "{}")],
  [
    "the head in the place of a unit",
    async () => kv().put(await nameOf(key("b")), (await kv().get(HEAD)) ?? ""),
  ],
])("refuses %s, and tells the rest", async (_, spoil) => {
  await spoil();

  expect(told(await open().read([DIRECTORY, key("b")]))).toEqual({
    version: 1,
    units: [DIRECTORY],
    missing: [],
    refused: 1,
  });
});

test("an older entry of the same unit makes the answer older, so that the registry sets it right later", async () => {
  const [, unit] = (await open().read([key("b")])).units[0] ?? [];
  await put(key("b"), unitBody(1, JSON.stringify(unit)), await nameOf(key("b")));

  expect((await open().read([key("b")])).version).toBe(1);
});

test.each<[string, string, () => Promise<unknown>]>([
  ["is empty", "the store is empty", () => kv().delete(HEAD)],
  ["has a head of another signer", "the head is not ours", () => kv().put(HEAD, '{"version":9,"at":9}')],
  [
    "has a unit in the place of the head",
    "the head is not ours",
    async () => kv().put(HEAD, await textOf(key("b"))),
  ],
])("a store that %s is not read", async (_, why, spoil) => {
  await spoil();

  await expect(open().read([key("b")])).rejects.toThrow(why);
});

test.each<[string, string | undefined, number, boolean]>([
  ["a day unless said otherwise", undefined, 25 * HOUR, false],
  ["less than a day", undefined, 23 * HOUR, true],
  ["as long as the variable says", "30m", 31 * 60_000, false],
  ["what the variable allows", "48h", 47 * HOUR, true],
  ["a day where the variable is no duration", "soon", 23 * HOUR, true],
])("a store may be old: %s", async (_, maxAge, ageMs, isRead) => {
  const store = open(maxAge === undefined ? {} : { SELVEDGE_SNAPSHOT_MAX_AGE: maxAge }, ageMs);
  const reading = store.read([key("b")]).then(
    () => true,
    () => false,
  );

  expect(await reading).toBe(isRead);
});

test("names that it lacks cost one read in ten seconds, and few at once", async () => {
  const { SNAPSHOTS, asked } = counting();
  const clock = { ahead: 0 };
  const store = openStore({ ...signing, SNAPSHOTS }, () => Date.now() + clock.ahead);
  const ghosts = Array.from({ length: 1_000 }, (_, n) => key(`ghost-${n}`));
  await store?.read(ghosts);
  const first = asked.length;
  await store?.read(ghosts.slice(0, 200));
  const second = asked.length;
  clock.ahead = 11_000;
  await store?.read(ghosts.slice(0, 200));

  expect([first, second - first, asked.length - second]).toEqual([201, 1, 201]);
});

test.each<[string, Partial<typeof signing>]>([["a secret", { SELVEDGE_ADMIN_TOKEN_SHA256: "" }]])(
  "without %s there is no store",
  (_, changes) => {
    expect(openStore({ ...signing, ...changes }, Date.now)).toBeNull();
  },
);

async function textOf(unitKey: string): Promise<string> {
  return (await kv().get(await nameOf(unitKey))) ?? "";
}
