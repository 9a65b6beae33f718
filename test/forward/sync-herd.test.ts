/** Many isolates of one mesh in virtual time: how often all of them together ask the registry. */
import { describe, expect, test } from "vitest";
import { WATCH_MS } from "../../shared/forward/flights.ts";
import { prepare } from "../../shared/forward/sync.ts";
import { createWorld, meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit, World } from "../fakes/mesh-kit.ts";
import { directory, service } from "../fakes/units.ts";

const UNITS = { directory: directory(), "service:shop/a": service("a") };
const KEYS = Object.keys(UNITS);
const SIZE = 25;

interface Herd {
  readonly world: World;
  readonly kits: readonly MeshKit[];
  /** When the registry was asked, in order. */
  readonly askedAt: number[];
  /** Gives every isolate a request per `everyMs` for a time; answers how many they were, and how many waited. */
  drive(ms: number, everyMs: number): Promise<{ readonly requests: number; readonly waits: number }>;
  /** How the registry behaves from now on. */
  set(behave: MeshKit["control"]["sync"]): void;
}

/** Isolates that have all loaded the same units, each at a time of its own. */
async function herdOf(size: number): Promise<Herd> {
  const world = createWorld();
  world.registry.put(UNITS);
  const kits = Array.from({ length: size }, (_, n) => meshKit({ world, seed: n + 1 }));
  const askedAt: number[] = [];
  let behave: MeshKit["control"]["sync"] = (request) => world.registry.sync(request);
  for (const kit of kits) {
    kit.control.sync = (request) => {
      askedAt.push(world.clock.now());
      return behave(request);
    };
    await kit.run(prepare(kit.mesh, KEYS));
    await kit.advance(Math.round((WATCH_MS / size) * 0.7));
  }
  return {
    world,
    kits,
    askedAt,
    set: (next) => {
      behave = next;
    },
    drive: async (ms, everyMs) => {
      let requests = 0;
      let waits = 0;
      for (const end = world.clock.now() + ms; world.clock.now() < end;) {
        for (const kit of kits) {
          requests += 1;
          if (prepare(kit.mesh, KEYS) !== null) waits += 1;
        }
        await kits[0]?.advance(everyMs);
      }
      return { requests, waits };
    },
  };
}

const within = (times: readonly number[], from: number, ms: number): number =>
  times.filter((at) => at >= from && at < from + ms).length;

const versions = ({ kits }: Herd): Set<number> =>
  new Set(kits.map(({ mesh }) => mesh.state.snapshot.view.version));

test("8 isolates with 500 requests a second ask the registry less than once per 1,000 requests", async () => {
  const herd = await herdOf(8);
  const before = herd.askedAt.length;
  const { requests, waits } = await herd.drive(300_000, 16);

  expect(waits).toBe(0);
  expect(requests / (herd.askedAt.length - before)).toBeGreaterThan(1_000);
});

describe.each<[string, (world: World) => MeshKit["control"]["sync"]]>([
  ["refuses", () => () => Promise.reject(new Error("out of reach"))],
  ["swallows every question", () => () => new Promise(() => undefined)],
  [
    "takes 5 s for everything",
    (world) => async (request) => {
      await new Promise<void>((resolve) => void world.clock.timer(5_000, resolve));
      return world.registry.sync(request);
    },
  ],
])("a registry that %s for two minutes", (_, outage) => {
  test("keeps few requests waiting, and sees no herd when it is back: all are current within 5 s", async () => {
    const herd = await herdOf(SIZE);
    herd.set(outage(herd.world));
    const during = await herd.drive(120_000, 250);
    herd.set((request) => herd.world.registry.sync(request));
    const returnedAt = herd.world.clock.now();
    herd.world.registry.put({ "service:shop/a": service("a", { ports: [{ name: "http", port: 81 }] }) });
    await herd.drive(5_000, 250);
    const afterReturn = versions(herd);
    await herd.drive(WATCH_MS, 250);

    expect(during.waits / during.requests).toBeLessThan(0.02);
    expect([...afterReturn]).toEqual([3]);
    // When all is well, each asks once in this time.
    expect(within(herd.askedAt, returnedAt, WATCH_MS * 0.9)).toBeLessThanOrEqual(SIZE * 2);
  });
});

test("a registry that restarts is not asked by all at once", async () => {
  const herd = await herdOf(100);
  const gone = Promise.withResolvers<never>();
  herd.set(() => gone.promise);
  await herd.drive(WATCH_MS * 1.05, 50);
  herd.set((request) => herd.world.registry.sync(request));
  const at = herd.world.clock.now();
  gone.reject(new Error("the object was reset"));
  const { waits } = await herd.drive(3_000, 20);

  const busiest = Math.max(...herd.askedAt.map((from) => within(herd.askedAt, Math.max(from, at), 100)));
  expect(busiest).toBeLessThanOrEqual(30);
  expect(waits).toBeLessThanOrEqual(100);
});

test("after news for all, the next watches are spread", async () => {
  const herd = await herdOf(100);
  await herd.drive(2_000, 50);
  const at = herd.world.clock.now();
  herd.world.registry.put({ "service:shop/a": service("a", { ports: [{ name: "http", port: 81 }] }) });
  await herd.drive(1_000, 10);

  expect([...versions(herd)]).toEqual([3]);
  expect(within(herd.askedAt, at, 100)).toBeLessThanOrEqual(10);
  const busiest = Math.max(...herd.askedAt.map((from) => within(herd.askedAt, Math.max(from, at), 50)));
  expect(busiest).toBeLessThanOrEqual(35);
});
