import { expect, test } from "vitest";
import type { LoadBalancing } from "../../shared/engine/balance.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { DEFAULT_LOCALITY, parseLocality, type LocalityPolicy } from "../../shared/engine/locality.ts";
import type { ServiceUnit, TrafficPolicy } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { ok, reception, setUp, unavailable } from "../fakes/loop.ts";
import { service, TRAFFIC } from "../fakes/units.ts";

const HERE = { region: "eu", zone: "eu-a" };

function placed(id: string, place: string, health: Endpoint["health"] = "healthy"): Endpoint {
  return endpoint(id, { locality: parseLocality(place), health });
}

/** `count` endpoints in a zone, of which the first `down` are unhealthy: `a0`, `a1`, … */
function zone(name: string, place: string, count: number, down = 0): Endpoint[] {
  return Array.from({ length: count }, (_, index) =>
    placed(`${name}${index}`, place, index < down ? "unhealthy" : "healthy"),
  );
}

const NEAR = zone("a", "eu/eu-a", 4);
const FAR = zone("u", "us/us-a", 4);

interface Setting {
  readonly endpoints: readonly Endpoint[];
  readonly traffic?: Partial<TrafficPolicy>;
  readonly locality?: Partial<LocalityPolicy>;
  readonly here?: typeof HERE | null;
  readonly answer?: (id: string) => Response;
}

function unitOf({ endpoints, traffic, locality }: Setting): ServiceUnit {
  const placing = locality === undefined ? {} : { locality: { ...DEFAULT_LOCALITY, ...locality } };
  return service("reviews", { endpoints, traffic: { ...TRAFFIC, ...traffic, ...placing } });
}

function meshWith(setting: Setting) {
  const { here = HERE, answer = ok } = setting;
  const got: string[] = [];
  const { kit } = setUp(unitOf(setting), [], {
    ...(here === null ? {} : { locality: here }),
    send: async ({ id }) => {
      got.push(id);
      return answer(id);
    },
  });
  const call = async (headers: Readonly<Record<string, string>> = {}): Promise<number> => {
    const request = new Request("http://reviews/", { headers });
    return (await kit.run(carry(kit.mesh, request, reception({ isFromOutside: true })))).status;
  };
  return { kit, got, call };
}

/** Which part of calls each group of endpoints got, by the first letter of their ids. */
async function partsOf({ got, call }: ReturnType<typeof meshWith>, calls = 1_000) {
  const before = got.length;
  for (let one = 0; one < calls; one++) await call();
  const groups = Map.groupBy(got.slice(before), (id) => id.charAt(0));
  return Object.fromEntries([...groups].map(([name, ids]) => [name, ids.length / calls]));
}

test.each<[string, Setting, Readonly<Record<string, number>>]>([
  ["its own zone first", { endpoints: [...FAR, ...NEAR] }, { a: 1 }],
  ["its own zone, with one of four down", { endpoints: [...zone("a", "eu/eu-a", 4, 1), ...FAR] }, { a: 1 }],
  [
    "what its zone cannot carry to the region",
    {
      endpoints: [...zone("a", "eu/eu-a", 4, 2), ...zone("b", "eu/eu-b", 4), ...FAR],
    },
    { a: 0.7, b: 0.3 },
  ],
  [
    "all others when its region is down",
    {
      endpoints: [...zone("a", "eu/eu-a", 4, 4), ...zone("b", "eu/eu-b", 4, 4), ...FAR],
    },
    { u: 1 },
  ],
  [
    "the region that comes next",
    {
      endpoints: [...zone("x", "ap", 2), ...FAR, ...zone("a", "eu/eu-a", 2, 2)],
      locality: { failover: [{ from: "eu", to: "us" }] },
    },
    { u: 1 },
  ],
  [
    "by shares",
    {
      endpoints: [...NEAR, ...FAR],
      locality: {
        distribute: [
          {
            from: "eu/eu-a",
            to: [
              { locality: "eu", weight: 80 },
              { locality: "us", weight: 20 },
            ],
          },
        ],
      },
    },
    { a: 0.8, u: 0.2 },
  ],
  [
    "by shares that shrink with health",
    {
      endpoints: [...zone("a", "eu/eu-a", 10, 5), ...FAR],
      locality: {
        distribute: [
          {
            from: "*",
            to: [
              { locality: "eu", weight: 50 },
              { locality: "us", weight: 50 },
            ],
          },
        ],
      },
    },
    { a: 0.7 / 1.7, u: 1 / 1.7 },
  ],
  [
    "to all alike without a place of its own",
    { endpoints: [...NEAR, ...FAR], here: null },
    { a: 0.5, u: 0.5 },
  ],
  [
    "to all alike where the policy says so",
    { endpoints: [...NEAR, ...FAR], locality: { mode: "none" } },
    { a: 0.5, u: 0.5 },
  ],
  [
    "to those that tell no place last",
    { endpoints: [endpoint("n0"), ...zone("a", "eu/eu-a", 2, 2)] },
    { n: 1 },
  ],
  // Envoy: 14 % and 70 % cannot carry everything, so each gets its part, and panics below half.
  [
    "to all of a group, when all groups together cannot carry the calls",
    {
      endpoints: [...zone("a", "eu/eu-a", 10, 9), ...zone("u", "us", 10, 7)],
    },
    { a: 1 / 4, u: 3 / 4 },
  ],
])("calls go %s", async (_name, setting, expected) => {
  const parts = await partsOf(meshWith(setting));
  expect(Object.keys(parts).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, part] of Object.entries(expected))
    expect(Math.abs((parts[name] ?? 0) - part)).toBeLessThan(0.05);
});

test("while another group can carry the calls, nothing that is unhealthy gets any", async () => {
  const down = zone("a", "eu/eu-a", 4, 3);
  const mesh = meshWith({ endpoints: [...down, ...FAR] });
  await partsOf(mesh);
  expect(new Set(mesh.got)).toEqual(new Set(["a3", "u0", "u1", "u2", "u3"]));
});

test.each([
  [0.5, 20],
  [0, 4],
])(
  "all groups together cannot carry the calls: with a panic ratio of %d, %d get some",
  async (panicRatio, count) => {
    const mesh = meshWith({
      endpoints: [...zone("a", "eu/eu-a", 10, 9), ...zone("u", "us", 10, 7)],
      traffic: { panicRatio },
    });
    await partsOf(mesh);
    expect(new Set(mesh.got).size).toBe(count);
  },
);

test.each([0.5, 0])("nothing is healthy: with a panic ratio of %d", async (panicRatio) => {
  const endpoints = [...zone("a", "eu/eu-a", 2, 2), ...zone("u", "us", 2, 2)];
  const mesh = meshWith({ endpoints, traffic: { panicRatio } });
  const status = await mesh.call();
  expect([status, mesh.got.length]).toEqual(panicRatio === 0 ? [503, 0] : [200, 1]);
});

test("a retry leaves the zone once all of it was tried", async () => {
  const endpoints = [...zone("a", "eu/eu-a", 2), ...zone("u", "us", 1)];
  const mesh = meshWith({ endpoints, answer: (id) => (id === "u0" ? ok() : unavailable()) });
  expect(await mesh.call()).toBe(200);
  expect([mesh.got.slice(0, 2).sort(), mesh.got[2]]).toEqual([["a0", "a1"], "u0"]);
});

interface Change {
  readonly before: readonly Endpoint[];
  readonly without: readonly Endpoint[];
}

test.each<[string, Change]>([
  ["recovered", { before: [...NEAR, ...FAR], without: [...zone("a", "eu/eu-a", 4, 4), ...FAR] }],
  ["had gone", { before: [...NEAR, ...FAR], without: FAR }],
  ["had gone, and with it every place", { before: [...NEAR, endpoint("n0")], without: [endpoint("n0")] }],
])(
  "a zone that %s gets its calls back in a straight line, and loses them at once",
  async (_name, { before, without }) => {
    const traffic = { retry: { ...TRAFFIC.retry, retries: 0 } };
    const mesh = meshWith({ endpoints: before, traffic });
    const change = async (endpoints: readonly Endpoint[]): Promise<void> => {
      mesh.kit.put({ "service:shop/reviews": unitOf({ endpoints, traffic }) });
      await mesh.kit.advance(2_000);
      // Brings the news in; what it was carried by is of no interest.
      await mesh.call();
      await mesh.kit.advance(100);
      await mesh.call();
    };
    const near = async (): Promise<number> => (await partsOf(mesh, 400))["a"] ?? 0;

    const first = await near();
    await change(without);
    const failed = await near();
    await change(before);
    const begun = await near();
    await mesh.kit.advance(5_000);
    const half = await near();
    await mesh.kit.advance(5_000);
    const after = await near();

    expect([first, failed, after]).toEqual([1, 0, 1]);
    expect(begun).toBeLessThan(0.1);
    expect(Math.abs(half - 0.5)).toBeLessThan(0.1);
  },
);

const KEY = [{ kind: "header", name: "x-user" }] as const;
const HASHED: readonly LoadBalancing[] = [
  { kind: "maglev", key: KEY, tableSize: 251 },
  { kind: "ring", key: KEY, minSize: 1_024, maxSize: 4_096 },
];

test.each(HASHED)(
  "$kind: a key stays in its group, and keys spread over all of it",
  async (loadBalancing) => {
    const mesh = meshWith({
      endpoints: [...zone("a", "eu/eu-a", 4, 2), ...FAR],
      traffic: { loadBalancing },
    });
    const users = Array.from({ length: 200 }, (_, user) => ({ "x-user": `user-${user}` }));
    for (const headers of [...users, ...users]) await mesh.call(headers);
    const [first, second] = [mesh.got.slice(0, 200), mesh.got.slice(200)];
    expect(second).toEqual(first);
    expect(new Set(first)).toEqual(new Set(["a2", "a3", "u0", "u1", "u2", "u3"]));
    // Keys that are drawn for the zone are not those of one end of its table.
    const [two = 0, three = 0] = ["a2", "a3"].map((id) => first.filter((one) => one === id).length);
    expect(Math.abs(two - three) / (two + three)).toBeLessThan(0.4);
  },
);

test("endpoints whose circuits are open make room for the next group", async () => {
  const endpoints = [...zone("a", "eu/eu-a", 1), ...zone("u", "us", 1)];
  const circuit = { failuresToOpen: 2, openForMs: 60_000, rejects: true };
  const traffic = { circuit, retry: { ...TRAFFIC.retry, retries: 0 } };
  const mesh = meshWith({ endpoints, traffic, answer: (id) => (id === "a0" ? unavailable() : ok()) });
  const statuses = [];
  for (let one = 0; one < 5; one++) statuses.push(await mesh.call());
  expect([statuses, mesh.got]).toEqual([
    [503, 503, 200, 200, 200],
    ["a0", "a0", "u0", "u0", "u0"],
  ]);
});
