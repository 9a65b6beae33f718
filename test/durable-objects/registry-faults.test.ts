import { reset, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { DIRECTORY, serviceKey } from "../../shared/engine/snapshot.ts";
import { oneOf, seeded } from "../engine/random.ts";
import {
  apply,
  endpoint,
  everything,
  evict,
  exec,
  meshRoute,
  refTo,
  registry,
  service,
  settled,
  stub,
  valueOf,
} from "./registry-kit.ts";

afterEach(reset);

/** A change that touches every table of an apply: creates, configures, and compiles. */
const everyWrite = () => apply([service("a", 81), service("b"), endpoint("b-1", "b"), meshRoute("a", ["b"])]);
const publication = (sequence: number) =>
  registry().publishEjections({ service: "shop/a", sequence, ejected: ["a-1"] });

describe("a write that fails in the middle", () => {
  test.each<[string, () => Promise<unknown>]>([
    ["revisions", everyWrite],
    ["changes", everyWrite],
    ["resources", everyWrite],
    ["units", everyWrite],
    ["revisions", () => registry().rollback(1, "ada")],
    ["changes", () => registry().remove([refTo(service("a"))], "ada")],
    ["units", () => publication(2)],
    ["published", () => publication(2)],
  ])("to %s leaves storage and memory as they were (%#)", async (table, write) => {
    await apply([service("a")]);
    await apply([service("a", 80), endpoint("a-1", "a")]);
    await publication(0);
    await registry().publishEjections({ service: "shop/a", sequence: 1, ejected: [] });
    const before = await everything();
    await exec(`CREATE TRIGGER broken BEFORE INSERT ON ${table} BEGIN SELECT RAISE(ABORT, 'broken'); END`);

    await expect(settled(write)).rejects.toThrow("broken");
    expect(await everything()).toEqual(before);
    await evict();
    expect(await everything()).toEqual(before);

    await exec("DROP TRIGGER broken");
    await write();
    expect(await everything()).not.toEqual(before);
  });

  test("and succeeds when it is tried again", async () => {
    await exec("CREATE TRIGGER broken BEFORE INSERT ON units BEGIN SELECT RAISE(ABORT, 'broken'); END");
    await expect(settled(everyWrite)).rejects.toThrow("broken");
    await exec("DROP TRIGGER broken");
    expect(valueOf(await everyWrite()).changes.map(({ change }) => change)).toEqual(
      Array.from({ length: 4 }, () => "created"),
    );
  });
});

test("an instance that dies right after an apply has all of it or nothing", async () => {
  await apply([service("a")]);
  const dying = runInDurableObject(stub(), async (object, state) => {
    const answer = object.apply({ documents: [service("b"), endpoint("b-1", "b")], author: "ada" });
    state.abort("killed by the test");
    await answer;
  });
  await expect(dying).rejects.toThrow();
  const { revision, resources } = await registry().status();
  expect([
    { revision: 1, resources: 1 },
    { revision: 2, resources: 3 },
  ]).toContainEqual({ revision, resources });
});

describe("at once", () => {
  test("applies happen one after another and none is lost", async () => {
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, index) => apply([service(`s${index}`), service("shared", 100 + index)])),
    );
    const revisions = answers.map((answer) => valueOf(answer).revision).sort((a, b) => a - b);
    expect(revisions).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
    await evict();
    expect(await registry().status()).toMatchObject({ revision: 30, resources: 31, services: 31 });
    const shared = valueOf(await registry().get(refTo(service("shared"))));
    expect(shared.metadata.generation).toBe(30);
  });

  test("of two that expect the same revision one wins", async () => {
    await apply([service("a")]);
    const answers = await Promise.all([81, 82].map((port) => apply([service("a", port)], { ifRevision: 1 })));
    expect(answers.map((answer) => (answer.ok ? answer.value.revision : answer.problem.code)).sort()).toEqual(
      [2, "config.revision"],
    );
    await evict();
    expect(await registry().status()).toMatchObject({ revision: 2 });
  });
});

describe("many", () => {
  test("1,000 documents in one apply", async () => {
    const documents = Array.from({ length: 500 }, (_, i) => [
      service(`s${i}`),
      endpoint(`e${i}`, `s${i}`),
    ]).flat();
    const answer = valueOf(await apply(documents));
    expect([answer.revision, answer.changes.length]).toEqual([1, 1_000]);
    await evict();
    expect(await registry().status()).toMatchObject({
      resources: 1_000,
      services: 500,
      healthyEndpoints: 500,
    });
    const { units } = await registry().sync({
      version: 0,
      held: [],
      wanted: [serviceKey("shop/s499"), DIRECTORY],
    });
    expect(units.map(([key]) => key)).toEqual([serviceKey("shop/s499"), DIRECTORY]);
  });

  test("1,000 applies in a row, each of them acknowledged and there", async () => {
    const acknowledged: number[] = [];
    for (let index = 0; index < 1_000; index += 1) {
      acknowledged.push(valueOf(await apply([service(`s${index % 100}`, 1 + index)])).revision);
    }
    expect(acknowledged).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 1));
    await evict();
    expect(await registry().status()).toMatchObject({ revision: 1_000, resources: 100 });
    expect(valueOf(await registry().get(refTo(service("s99")))).spec).toMatchObject({
      ports: [{ port: 1_000 }],
    });
    expect(valueOf(await registry().diff(999, 1_000))).toHaveLength(1);
  }, 30_000);
});

describe("random histories", () => {
  const NAMES = ["a", "b", "c", "d", "e"];
  const keys = NAMES.map((name) => serviceKey(`shop/${name}`));

  /** The content of the mesh in short: names and specs, and what hosts are told. */
  async function content(): Promise<{ resources: unknown; units: unknown }> {
    const resources = await registry().list({});
    const { units } = await registry().sync({ version: 0, held: [], wanted: keys });
    return {
      resources: resources.map(({ kind, metadata, spec }) => [kind, metadata.name, metadata.uid, spec]),
      units,
    };
  }

  async function change(random: () => number): Promise<void> {
    const name = oneOf(random, NAMES);
    const document = oneOf(random, [
      service(name, 80 + Math.floor(random() * 2)),
      endpoint(name, oneOf(random, NAMES)),
      meshRoute(name, [oneOf(random, NAMES)]),
    ]);
    if (random() < 0.6) await apply([document]);
    else await registry().remove([refTo(document)], "ada");
    if (random() < 0.2) await evict();
  }

  test.each([11, 12])("rolled back to any revision serve what they served then (seed %i)", async (seed) => {
    const random = seeded(seed);
    const past = new Map<number, unknown>([[0, await content()]]);
    for (let round = 0; round < 40; round += 1) {
      await change(random);
      past.set((await registry().status()).revision, await content());
    }
    expect(past.size).toBeGreaterThan(20);
    for (const [revision, then] of [...past].sort(() => random() - 0.5)) {
      const answer = valueOf(await registry().rollback(revision, "ada"));
      expect(valueOf(await registry().diff(revision, answer.revision))).toEqual([]);
      expect(await content()).toEqual(then);
    }
  });
});
