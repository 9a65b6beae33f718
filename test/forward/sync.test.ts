import { describe, expect, test } from "vitest";
import { WATCH_MS } from "../../shared/forward/flights.ts";
import { prepare } from "../../shared/forward/sync.ts";
import type { SyncAnswer } from "../../shared/wire/registry-rpc.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { directory, service } from "../fakes/units.ts";

const UNITS = { directory: directory(), "service:shop/a": service("a") };
const KEYS = Object.keys(UNITS);

async function warmKit(): Promise<MeshKit> {
  const kit = meshKit({ units: UNITS });
  await kit.run(prepare(kit.mesh, KEYS));
  return kit;
}

/** A host that has watched for a second. */
async function watchingKit(): Promise<MeshKit> {
  const kit = await warmKit();
  await kit.advance(1_500);
  return kit;
}

function fail(): Promise<never> {
  return Promise.reject(new Error("out of reach"));
}

function hang(): Promise<never> {
  return new Promise(() => undefined);
}

/** A request every 20 ms; answers how many of them had to wait. */
async function drive(kit: MeshKit, ms: number, keys: readonly string[] = KEYS): Promise<number> {
  let waits = 0;
  for (const end = kit.now() + ms; kit.now() < end;) {
    if (prepare(kit.mesh, keys) !== null) waits += 1;
    await kit.advance(20);
  }
  return waits;
}

const stored = (
  units: SyncAnswer["units"],
  version: number,
  missing: readonly string[] = [],
): SyncAnswer => ({
  version,
  units,
  missing,
  stored: { refused: 1 },
});

const holds = (kit: MeshKit, key: string): boolean => kit.mesh.state.snapshot.view.units.has(key);
const counters = (kit: MeshKit) => kit.mesh.state.meter.host;

describe("a fetch", () => {
  test("brings units that the isolate never had", async () => {
    const kit = meshKit({ units: UNITS });

    await kit.run(prepare(kit.mesh, KEYS));

    expect([...kit.mesh.state.snapshot.view.units.keys()]).toEqual(KEYS);
    expect(kit.calls.syncs).toEqual([{ version: 0, held: [], wanted: KEYS }]);
  });

  test("is one for all that wait", async () => {
    const kit = meshKit({ units: UNITS });

    await kit.run(Promise.all(Array.from({ length: 50 }, () => prepare(kit.mesh, ["directory"]))));

    expect(kit.calls.syncs.length).toBe(1);
  });

  test("does not wait behind the watch", async () => {
    const kit = await watchingKit();
    kit.put({ "service:shop/b": service("b") });
    const before = kit.now();

    await kit.run(prepare(kit.mesh, ["service:shop/b"]));

    expect([holds(kit, "service:shop/b"), kit.now() - before < 10]).toEqual([true, true]);
  });

  test("whose request was canceled is replaced by those that wait for it", async () => {
    const kit = meshKit({ units: UNITS });
    const { sync } = kit.control;
    kit.control.sync = hang;
    void prepare(kit.mesh, ["directory"]);
    await kit.advance(0);
    kit.control.sync = sync;
    const before = kit.now();

    await kit.run(prepare(kit.mesh, ["directory"]));

    expect(holds(kit, "directory")).toBe(true);
    expect(kit.now() - before).toBeLessThanOrEqual(2_010);
  });

  test("that was overtaken does not hide a change to what came in meanwhile", async () => {
    const kit = await warmKit();
    const { sync } = kit.control;
    const late = Promise.withResolvers<SyncAnswer>();
    kit.control.sync = () => late.promise;
    void prepare(kit.mesh, ["service:shop/c"]);
    await kit.advance(2_100);
    kit.control.sync = sync;
    kit.put({ "service:shop/b": service("b") });
    await kit.run(prepare(kit.mesh, ["service:shop/b"]));
    kit.put({ "service:shop/b": null });

    // Asked before `b` was held, answered after `b` was removed: says nothing about `b`.
    late.resolve({ version: 4, units: [], missing: [] });
    await drive(kit, 1_500, ["service:shop/b"]);

    expect(kit.mesh.state.snapshot.view.missing.has("service:shop/b")).toBe(true);
  });

  test("that goes back in time is refused and counted", async () => {
    const kit = await warmKit();
    const { view } = kit.mesh.state.snapshot;
    kit.control.sync = async () => ({ version: 1, units: [], missing: ["service:shop/a"] });
    await kit.advance(900);

    expect(kit.mesh.state.snapshot.view).toBe(view);
    expect(counters(kit).refusedSnapshots).toBe(1);
  });
});

describe("a watch", () => {
  test("names all that is known, what does not exist included, and leaves the platform time to end it", async () => {
    const kit = await warmKit();
    await kit.run(prepare(kit.mesh, ["service:shop/ghost"]));
    await kit.advance(2_000);

    expect(kit.calls.syncs.slice(2)).toEqual([
      { version: 2, held: [...KEYS, "service:shop/ghost"], wanted: [], waitMs: expect.any(Number) },
    ]);
    expect(kit.calls.syncs[2]?.waitMs).toBeGreaterThanOrEqual(WATCH_MS * 0.9);
    expect(kit.calls.syncs[2]?.waitMs).toBeLessThanOrEqual(WATCH_MS * 1.1);
  });

  test("keeps all requests from waiting, and costs three questions a minute", async () => {
    const kit = await warmKit();

    expect(await drive(kit, 300_000)).toBe(0);
    expect(kit.calls.syncs.length).toBeGreaterThan(12);
    expect(kit.calls.syncs.length).toBeLessThan(18);
    expect(counters(kit)).toMatchObject({ staleCalls: 0, failedSyncs: 0, refusedSnapshots: 0 });
  });

  test("brings a change at once, and the next one after a short rest", async () => {
    const kit = await watchingKit();
    const arrivals: number[] = [];
    for (const port of [81, 82, 83]) {
      const unit = service("a", { ports: [{ name: "http", port }] });
      kit.put({ "service:shop/a": unit });
      const from = kit.now();
      const arrived = () => kit.mesh.state.snapshot.view.units.get("service:shop/a");
      while (JSON.stringify(arrived()?.kind === "service" && arrived()?.unit) !== JSON.stringify(unit))
        await drive(kit, 20);
      arrivals.push(kit.now() - from);
    }

    expect(arrivals[0]).toBeLessThanOrEqual(20);
    expect(Math.max(...arrivals)).toBeLessThanOrEqual(440);
  });

  test("tells of a name that came to exist", async () => {
    const kit = await watchingKit();
    await kit.run(prepare(kit.mesh, ["service:shop/late"]));
    await kit.advance(1_000);
    kit.put({ "service:shop/late": service("late") });
    await kit.advance(0);

    expect(holds(kit, "service:shop/late")).toBe(true);
  });

  test("is taken up anew for what was fetched beside it", async () => {
    const kit = await watchingKit();
    kit.put({ "service:shop/b": service("b") });
    await kit.run(prepare(kit.mesh, ["service:shop/b"]));
    await kit.advance(1_000);
    kit.put({ "service:shop/b": null });
    await kit.advance(0);

    expect(kit.mesh.state.snapshot.view.missing.has("service:shop/b")).toBe(true);
  });

  test("is begun by the request that had to wait, where traffic is sparse", async () => {
    const kit = await warmKit();
    await kit.advance(60_000);
    await kit.run(prepare(kit.mesh, KEYS));
    await kit.advance(15_000);

    expect(prepare(kit.mesh, KEYS)).toBeNull();
  });

  test("does not outlive its request: the next one asks", async () => {
    const kit = await warmKit();
    const { sleep } = kit.mesh.ports;
    let isGone = false;
    const ports = {
      ...kit.mesh.ports,
      sleep: (ms: number) => (isGone ? hang() : sleep(ms)),
      control: {
        ...kit.control,
        sync: (request: Parameters<typeof kit.control.sync>[0]) =>
          kit.control.sync(request).then((answer) => (isGone ? hang() : answer)),
      },
    };
    await kit.advance(700);
    prepare({ ...kit.mesh, ports }, KEYS);
    isGone = true;
    await kit.advance(1_500);
    kit.put({ "service:shop/a": null });

    await kit.run(prepare(kit.mesh, ["service:shop/a"]));

    expect(kit.mesh.state.snapshot.view.missing.has("service:shop/a")).toBe(true);
  });

  test("ends with the traffic, and the first request after it waits, so that an old policy does not decide", async () => {
    const kit = await watchingKit();
    await kit.advance(60_000);
    kit.put({ "service:shop/a": null });

    await kit.run(prepare(kit.mesh, ["service:shop/a"]));

    expect(kit.mesh.state.snapshot.view.missing.has("service:shop/a")).toBe(true);
  });

  test("is asked twice a second of a registry that does not hold its answers", async () => {
    const kit = await warmKit();
    const { sync } = kit.control;
    kit.control.sync = ({ version, held, wanted }) => sync({ version, held, wanted });

    expect(await drive(kit, 10_000)).toBe(0);
    expect(kit.calls.syncs.length).toBeGreaterThan(14);
    expect(kit.calls.syncs.length).toBeLessThan(26);
  });
});

describe("names that do not exist", () => {
  test("cost one fetch per period, however many there are", async () => {
    const kit = await warmKit();
    for (let n = 0; n < 2_000; n++) {
      void prepare(kit.mesh, [`service:shop/random-${n}`]);
      await kit.advance(5);
    }
    await kit.advance(1_000);

    expect(kit.calls.syncs.length).toBeLessThan(26);
    expect(kit.mesh.state.snapshot.view.missing.size).toBeLessThanOrEqual(250);
  });

  test("cost nothing more once they are known", async () => {
    const kit = await warmKit();
    await drive(kit, 60_000, [...KEYS, "service:shop/ghost"]);

    expect(kit.calls.syncs.length).toBeLessThan(8);
  });
});

describe("a registry that is out", () => {
  test("keeps nobody from last-good, which is counted", async () => {
    const kit = await watchingKit();
    kit.control.sync = fail;
    await kit.advance(60_000);
    await kit.run(prepare(kit.mesh, ["service:shop/a"]));
    await kit.advance(3_600_000);

    expect(prepare(kit.mesh, ["service:shop/a"])).toBeNull();
    expect(holds(kit, "service:shop/a")).toBe(true);
    expect(counters(kit).staleCalls).toBe(1);
  });

  test("costs one request a second when it hangs, and the next does not wait at all", async () => {
    const kit = await watchingKit();
    await kit.advance(60_000);
    kit.control.sync = hang;
    const before = kit.now();

    await kit.run(prepare(kit.mesh, ["service:shop/a"]));

    expect(kit.now() - before).toBe(1_000);
    expect(prepare(kit.mesh, ["service:shop/a"])).toBeNull();
  });

  test("is not waited for again when its answers come late", async () => {
    const kit = await watchingKit();
    await kit.advance(60_000);
    const { sync } = kit.control;
    kit.control.sync = async (request) => {
      await kit.mesh.ports.sleep(5_000);
      return sync(request);
    };

    expect(await drive(kit, 120_000)).toBeLessThanOrEqual(50);
  });

  test("is asked by a cold isolate with growing pauses, however many requests there are", async () => {
    const kit = meshKit({ units: UNITS });
    let asked = 0;
    kit.control.sync = () => {
      asked += 1;
      return fail();
    };
    for (let ms = 0; ms < 20_000; ms += 10) {
      void prepare(kit.mesh, ["directory"]);
      void prepare(kit.mesh, ["service:shop/a"]);
      await kit.advance(10);
    }

    expect(asked).toBeGreaterThan(10);
    expect(asked).toBeLessThan(32);
    expect(counters(kit).failedSyncs).toBe(asked);
  });

  test("is recovered from", async () => {
    const kit = await watchingKit();
    const { sync } = kit.control;
    kit.control.sync = fail;
    await kit.advance(60_000);
    await drive(kit, 5_000);
    kit.control.sync = sync;
    kit.put({ "service:shop/a": null });
    await drive(kit, 2_100);

    expect(kit.mesh.state.snapshot.view.missing.has("service:shop/a")).toBe(true);
    await kit.advance(60_000);
    expect(prepare(kit.mesh, KEYS)).not.toBeNull();
  });

  test("that restarts breaks watches, and requests go on without waiting", async () => {
    const kit = await watchingKit();
    const { sync } = kit.control;
    const broken = Promise.withResolvers<never>();
    kit.control.sync = () => broken.promise;
    await drive(kit, 21_000);
    kit.control.sync = sync;
    broken.reject(new Error("the object was reset"));

    expect(await drive(kit, 10_000)).toBe(0);
    expect(counters(kit).staleCalls).toBe(0);
  });
});

describe("an answer from the registry's store", () => {
  test("serves a cold isolate, marked stale, until the registry returns", async () => {
    const kit = meshKit({ units: UNITS });
    const { sync } = kit.control;
    kit.control.sync = async ({ wanted }) => {
      if (wanted.length === 0) throw new Error("out of reach");
      return stored(
        [
          ["directory", directory()],
          ["service:shop/a", service("a")],
        ],
        1,
      );
    };
    await kit.run(prepare(kit.mesh, KEYS));
    const { view } = kit.mesh.state.snapshot;
    const waits = await drive(kit, 5_000);
    const { staleCalls, refusedSnapshots } = counters(kit);
    kit.put({ "service:shop/a": null });
    kit.control.sync = sync;
    await drive(kit, 2_100);

    expect([view.version, [...view.units.keys()], waits]).toEqual([1, KEYS, 0]);
    expect([staleCalls, refusedSnapshots]).toEqual([250, 1]);
    expect(kit.mesh.state.snapshot.view.missing.has("service:shop/a")).toBe(true);
    expect(kit.mesh.state.snapshot.view.version).toBe(3);
  });

  test("makes the view as old as its oldest unit, and replaces nothing that the registry told", async () => {
    const kit = await watchingKit();
    const old = service("a", { ports: [{ name: "http", port: 1 }] });
    const known = kit.mesh.state.snapshot.view.units.get("service:shop/a");
    kit.control.sync = async () =>
      stored(
        [
          ["service:shop/a", old],
          ["service:shop/b", service("b")],
        ],
        1,
        ["service:shop/c"],
      );
    await kit.run(prepare(kit.mesh, ["service:shop/b"]));

    const { view } = kit.mesh.state.snapshot;
    expect(view.version).toBe(1);
    expect(view.units.get("service:shop/a")).toBe(known);
    expect([holds(kit, "service:shop/b"), view.missing.has("service:shop/c")]).toEqual([true, true]);
  });

  test("that lacks a name makes requests for it fail soon, and few questions", async () => {
    const kit = meshKit();
    let asked = 0;
    kit.control.sync = async () => {
      asked += 1;
      return stored([], 1);
    };
    const before = kit.now();
    await kit.run(prepare(kit.mesh, ["directory"]));

    expect(kit.now() - before).toBeLessThanOrEqual(10);
    await drive(kit, 10_000, ["directory"]);
    expect(asked).toBeLessThanOrEqual(22);
  });

  test("with a unit that cannot be used is refused", async () => {
    const kit = meshKit();
    kit.control.sync = async () => stored([["directory", { ...directory(), keys: "none" as never }]], 1);
    await kit.run(prepare(kit.mesh, ["directory"]));

    expect(holds(kit, "directory")).toBe(false);
    expect(counters(kit).refusedSnapshots).toBe(2);
  });
});
