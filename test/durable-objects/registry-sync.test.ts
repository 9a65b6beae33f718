import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import { references } from "../../shared/compile/compile.ts";
import { DIRECTORY, serviceKey, type Unit, type UnitKey } from "../../shared/engine/snapshot.ts";
import type { RegisteredEndpoint, SyncAnswer, SyncRequest } from "../../shared/wire/registry-rpc.ts";
import { oneOf, seeded, severalOf } from "../engine/random.ts";
import {
  apply,
  endpoint,
  evict,
  exec,
  gateway,
  meshRoute,
  refTo,
  registry,
  service,
  valueOf,
  type Document,
} from "./registry-kit.ts";

afterEach(async () => {
  vi.restoreAllMocks();
  await reset();
});

const key = (name: string) => serviceKey(`shop/${name}`);
const verification = (kid: string) =>
  ({ kid, kty: "EC", crv: "P-256", x: "x", y: "y", alg: "ES256" }) as const;
const keysOf = (answer: SyncAnswer) => answer.units.map(([unit]) => unit).sort();

/** A sync by an evicted registry. */
async function sync(request: Partial<SyncRequest>): Promise<SyncAnswer> {
  await evict();
  return registry().sync({ version: 0, held: [], wanted: [], ...request });
}

async function unitOf(name: string): Promise<Unit | undefined> {
  const answer = await sync({ wanted: [key(name)] });
  return answer.units[0]?.[1];
}

async function endpointsOf(name: string): Promise<string[]> {
  const unit = await unitOf(name);
  return unit?.kind === "service"
    ? unit.endpoints.map(({ id, isEjected }) => `${id}${isEjected ? "!" : ""}`)
    : [];
}

const versionNow = async () => (await registry().status()).version;

function registered(id: string, labels: Readonly<Record<string, string>> = {}): RegisteredEndpoint {
  const address = `https://${id}.example`;
  return { id, address, labels, weight: 1, health: "healthy", isJoined: false, serviceAccount: null };
}

const publish = (sequence: number, ...ids: string[]) =>
  registry().publishEndpoints({ service: "shop/a", sequence, endpoints: ids.map((id) => registered(id)) });

/** Takes an answer over, as a host does. */
function follow(host: Map<UnitKey, Unit>, answer: SyncAnswer): void {
  for (const [unitKey, unit] of answer.units) host.set(unitKey, unit);
  for (const unitKey of answer.missing) host.delete(unitKey);
}

describe("sync", () => {
  test("an empty mesh has a directory", async () => {
    expect(await sync({ wanted: [DIRECTORY] })).toEqual({
      version: 1,
      units: [[DIRECTORY, { kind: "directory", trustDomain: "selvedge.example", keys: [], listeners: [] }]],
      missing: [],
    });
  });

  test("a host at the current version that wants nothing is told nothing", async () => {
    await apply([service("a")]);
    const version = await versionNow();
    expect(await sync({ version, held: [DIRECTORY, key("a")] })).toEqual({ version, units: [], missing: [] });
  });

  test("what does not exist is missing, wanted or not", async () => {
    const wanted = [key("ghost"), "", "service:", "host:x#y", "workload:shop/ghost", "nonsense", "__proto__"];
    expect(await sync({ wanted })).toEqual({ version: 1, units: [], missing: wanted });
  });

  test("of what is held, what changed is told", async () => {
    await apply([service("a"), service("b"), service("c")]);
    const version = await versionNow();
    await apply([service("b", 81), service("c", 81)]);
    const answer = await sync({ version, held: [DIRECTORY, key("a"), key("b")] });
    expect([answer.version, keysOf(answer), answer.missing]).toEqual([version + 1, [key("b")], []]);
  });

  test("what is wanted is told at the current version too", async () => {
    await apply([service("a"), service("b")]);
    const version = await versionNow();
    const answer = await sync({ version, held: [key("a")], wanted: [key("b")] });
    expect([answer.version, keysOf(answer)]).toEqual([version, [key("b")]]);
  });

  test("units that are referred to come along, unless they are held", async () => {
    await apply([service("a"), service("b"), service("c"), service("d"), meshRoute("a", ["b", "c"])]);
    await apply([meshRoute("b", ["d"])]);
    const version = await versionNow();
    expect(keysOf(await sync({ wanted: [key("a")] }))).toEqual(["a", "b", "c", "d"].map(key));
    expect(keysOf(await sync({ version, held: [key("b")], wanted: [key("a")] }))).toEqual(
      ["a", "c"].map(key),
    );
  });

  test("a held unit that begins to refer to another brings it along", async () => {
    await apply([service("a"), service("b")]);
    const version = await versionNow();
    await apply([meshRoute("a", ["b"])]);
    expect(keysOf(await sync({ version, held: [key("a")] }))).toEqual(["a", "b"].map(key));
  });

  test("a backend that does not exist is missing, and comes along once it does", async () => {
    await apply([service("a"), meshRoute("a", ["b"])]);
    const version = await versionNow();
    await apply([service("b")]);
    expect(keysOf(await sync({ version, held: [key("a")] }))).toEqual(["a", "b"].map(key));
  });

  test("a deleted unit is missing for whoever holds it", async () => {
    await apply([service("a"), service("b")]);
    const version = await versionNow();
    await registry().remove([refTo(service("a"))], "ada");
    expect(await sync({ version, held: [key("a"), key("b")] })).toEqual({
      version: version + 1,
      units: [],
      missing: [key("a")],
    });
    const later = version + 1;
    expect(await sync({ version: later, held: [key("b")] })).toEqual({
      version: later,
      units: [],
      missing: [],
    });
  });

  test("a host that is ahead (storage was restored) is told all that it holds", async () => {
    await apply([service("a"), service("b")]);
    const version = await versionNow();
    const answer = await sync({ version: version + 7, held: [key("a"), key("ghost")] });
    expect([answer.version, keysOf(answer), answer.missing]).toEqual([version, [key("a")], [key("ghost")]]);
  });

  test("a host that is behind the oldest tombstone is told all that it holds", async () => {
    await apply([service("a"), service("b"), service("c")]);
    const version = await versionNow();
    await exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 10000)
      INSERT INTO units SELECT 'service:old/' || i, 1 + ${version}, NULL FROM n`);
    await registry().remove([refTo(service("c"))], "ada");
    expect(await exec("SELECT count(*) AS tombstones FROM units WHERE body IS NULL")).toEqual([
      { tombstones: 1 },
    ]);
    const held = [key("a"), "service:old/7"];
    const behind = await sync({ version, held });
    expect([keysOf(behind), behind.missing]).toEqual([[key("a")], ["service:old/7"]]);
    expect(await sync({ version: version + 1, held })).toEqual({
      version: version + 2,
      units: [],
      missing: [],
    });
  });

  test("a version stays in force when all that it took away has been forgotten", async () => {
    await apply([service("a")]);
    await exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= 10000)
      INSERT INTO units SELECT 'service:old/' || i, 3, NULL FROM n`);
    // Changes no unit, and forgets.
    await registry().publishEjections({ service: "shop/a", sequence: 1, ejected: [] });

    expect(await exec("SELECT max(version) AS newest FROM units")).toEqual([{ newest: 2 }]);
    expect(await versionNow()).toBe(3);
    await apply([service("a", 81)]);
    expect(keysOf(await sync({ version: 3, held: [key("a")] }))).toEqual([key("a")]);
  });

  test("5,000 units may be wanted at once and no more", async () => {
    const wanted = Array.from({ length: 5_000 }, (_, index) => key(`s${index}`));
    expect((await sync({ wanted })).missing).toHaveLength(5_000);
    await expect(sync({ wanted: [...wanted, key("one-more")] })).rejects.toThrow("at most 5000");
  });

  test("what does not concern hosts is no new version", async () => {
    await apply([service("a")]);
    const version = await versionNow();
    const account = {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "cart", namespace: "shop" },
    };
    expect(valueOf(await apply([account])).revision).toBe(2);
    expect(await versionNow()).toBe(version);
  });

  test("a release that compiles otherwise, or another trust domain, compiles everything anew", async () => {
    await apply([service("a"), service("b")]);
    const version = await versionNow();
    await exec("UPDATE facts SET value = 'an older release' WHERE name = 'compiler'");
    await exec(`UPDATE units SET body = '{"kind":"directory"}' WHERE key = 'directory'`);
    await exec(`DELETE FROM units WHERE key = '${key("b")}'`);
    const answer = await sync({ version, held: [DIRECTORY, key("a"), key("b")] });
    expect([answer.version, keysOf(answer)]).toEqual([version + 1, [DIRECTORY, key("b")]]);
  });
});

test("a release that cannot store what it compiles serves what the one before compiled", async () => {
  const error = vi.spyOn(console, "error").mockReturnValue();
  await apply([service("a")]);
  const before = await sync({ wanted: [DIRECTORY, key("a")] });
  await exec("UPDATE facts SET value = 'an older release' WHERE name = 'compiler'");
  await exec("CREATE TRIGGER broken BEFORE INSERT ON facts BEGIN SELECT RAISE(ABORT, 'broken'); END");
  expect(await sync({ wanted: [DIRECTORY, key("a")] })).toEqual(before);
  expect(error).toHaveBeenCalledWith("registry: could not compile what is stored", expect.any(Error));
});

describe("publications", () => {
  test("registered endpoints are served, and an older or equal sequence is ignored", async () => {
    await apply([service("a")]);
    await publish(10, "x", "y");
    expect(await endpointsOf("a")).toEqual(["x", "y"]);
    const version = await versionNow();
    await publish(10, "z");
    await publish(9);
    expect([await endpointsOf("a"), await versionNow()]).toEqual([["x", "y"], version]);
    await publish(11, "y");
    expect([await endpointsOf("a"), await versionNow()]).toEqual([["y"], version + 1]);
  });

  test("a publication that changes no unit is no new version", async () => {
    await apply([service("a")]);
    await publish(1, "x");
    const version = await versionNow();
    await publish(2, "x");
    await registry().publishEndpoints({ service: "shop/ghost", sequence: 1, endpoints: [registered("x")] });
    expect(await versionNow()).toBe(version);
  });

  test("endpoints that registered before their service are served once it is configured", async () => {
    await publish(1, "x");
    await evict();
    await apply([service("a")]);
    expect(await endpointsOf("a")).toEqual(["x"]);
  });

  test("a service selects registered endpoints of its namespace by label", async () => {
    await apply([service("a"), service("b")]);
    await registry().publishEndpoints({
      service: "shop/a",
      sequence: 1,
      endpoints: [registered("x", { app: "b" })],
    });
    expect([await endpointsOf("a"), await endpointsOf("b")]).toEqual([["x"], ["a/x"]]);
  });

  test("ejections mark endpoints until they are published otherwise", async () => {
    await apply([service("a"), endpoint("a-1", "a"), endpoint("a-2", "a")]);
    await registry().publishEjections({ service: "shop/a", sequence: 5, ejected: ["a-2"] });
    expect(await endpointsOf("a")).toEqual(["a-1", "a-2!"]);
    expect(await registry().status()).toMatchObject({ endpoints: 2, healthyEndpoints: 1 });
    await registry().publishEjections({ service: "shop/a", sequence: 4, ejected: [] });
    expect(await endpointsOf("a")).toEqual(["a-1", "a-2!"]);
    await registry().publishEjections({ service: "shop/a", sequence: 6, ejected: [] });
    expect(await endpointsOf("a")).toEqual(["a-1", "a-2"]);
  });

  test("keys are in the directory", async () => {
    const keys = [verification("k1")];
    await registry().publishKeys({ sequence: 1, keys });
    const answer = await sync({ version: 1, held: [DIRECTORY] });
    expect(answer).toMatchObject({ version: 2, units: [[DIRECTORY, { keys }]] });
    await apply([gateway("front")]);
    expect(await sync({ wanted: [DIRECTORY] })).toMatchObject({
      version: 3,
      units: [[DIRECTORY, { keys, listeners: [{ gateway: "shop/front" }] }]],
    });
  });

  test("roots and revocations are in the directory, and the newest of two kinds of publication counts", async () => {
    const revoked = { ids: ["t-1"], identities: [{ subject: "spiffe://mesh.test/ns/a/sa/b", before: 5 }] };
    await registry().publishTrust({ sequence: 2, keys: [verification("k2")], roots: ["AAAA"], revoked });
    await registry().publishTrust({ sequence: 1, keys: [], roots: [], revoked: { ids: [], identities: [] } });
    expect(await sync({ wanted: [DIRECTORY] })).toMatchObject({
      units: [[DIRECTORY, { keys: [{ kid: "k2" }], roots: ["AAAA"], revoked }]],
    });
    // An authority of the release before knows nothing but keys.
    await registry().publishKeys({ sequence: 3, keys: [verification("k3")] });
    await evict();
    await apply([gateway("front")]);
    expect(await sync({ wanted: [DIRECTORY] })).toMatchObject({
      units: [[DIRECTORY, { keys: [{ kid: "k3" }], roots: ["AAAA"], revoked }]],
    });
    await registry().publishTrust({
      sequence: 4,
      keys: [verification("k4")],
      roots: [],
      revoked: { ids: [], identities: [] },
    });
    await evict();
    await apply([gateway("back")]);
    const [[, unit] = ["", {}]] = (await sync({ wanted: [DIRECTORY] })).units;
    expect(unit).toMatchObject({ keys: [{ kid: "k4" }] });
    expect(unit).not.toHaveProperty("roots");
    expect(unit).not.toHaveProperty("revoked");
  });

  test("a publication that would make a unit too large is taken, and the unit stays as it was", async () => {
    const error = vi.spyOn(console, "error").mockReturnValue();
    await apply([service("a")]);
    await publish(1, "x");
    const many = Array.from({ length: 6_000 }, (_, index) => registered(`e${index}-${"x".repeat(50)}`));
    await registry().publishEndpoints({ service: "shop/a", sequence: 2, endpoints: many });
    expect(await endpointsOf("a")).toEqual(["x"]);
    expect(error).toHaveBeenCalledWith(expect.stringContaining("service:shop/a compiles to"));
    await publish(3, "y");
    expect(await endpointsOf("a")).toEqual(["y"]);
  });
});

describe("a host that follows", () => {
  const NAMES = ["a", "b", "c", "d"];

  /** One random change: any of those that move units. */
  async function change(random: () => number): Promise<void> {
    const name = oneOf(random, NAMES);
    const documents: Document[] = [
      service(name, 80 + Math.floor(random() * 3)),
      endpoint(`${name}-${Math.floor(random() * 2)}`, oneOf(random, NAMES)),
      meshRoute(
        name,
        severalOf(random, 1, 2, () => oneOf(random, NAMES)),
      ),
    ];
    const document = oneOf(random, documents);
    if (random() < 0.75) await apply([document]);
    else await registry().remove([refTo(document)], "ada");
  }

  test.each([1, 2, 3])(
    "by deltas holds what it would hold anew, and it is complete (seed %i)",
    async (seed) => {
      const random = seeded(seed);
      const host = new Map<UnitKey, Unit>();
      let version = 0;
      let mostHeld = 0;
      for (let round = 0; round < 60; round += 1) {
        for (const _ of severalOf(random, 1, 3, () => null)) await change(random);
        const wanted = severalOf(random, 0, 1, () => key(oneOf(random, NAMES))).filter(
          (unit) => !host.has(unit),
        );
        const request = { version, held: [...host.keys()], wanted };
        const answer = random() < 0.2 ? await sync(request) : await registry().sync(request);
        follow(host, answer);
        version = answer.version;
        mostHeld = Math.max(mostHeld, host.size);

        const anew = await registry().sync({ version: 0, held: [], wanted: [...host.keys()] });
        const held = anew.units.filter(([unit]) => host.has(unit));
        expect(new Map(held)).toEqual(host);
        const existing = new Set(anew.units.map(([unit]) => unit));
        const needed = [...host.values()].flatMap(references).filter((unit) => existing.has(unit));
        expect(needed.filter((unit) => !host.has(unit))).toEqual([]);
      }
      expect(mostHeld).toBeGreaterThan(2);
    },
  );
});
