import { expect, test } from "vitest";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { DEFAULT_LOCALITY, parseLocality } from "../../shared/engine/locality.ts";
import type {
  FailoverTarget,
  InboundPolicy,
  ServiceUnit,
  TrafficPolicy,
} from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { codeOf, ok, reception, setUp, unavailable, unreachable } from "../fakes/loop.ts";
import { PERMISSIVE, service, TRAFFIC } from "../fakes/units.ts";

const DOWN = { health: "unhealthy" } as const;
const TO_SPARE: readonly FailoverTarget[] = [{ service: "shop/spare" }, { service: "shop/last" }];
const STRICT: InboundPolicy = { ...PERMISSIVE, authorization: { deny: [], allow: [] } };

interface Setting {
  /** Of `reviews`. */
  readonly endpoints: readonly Endpoint[];
  readonly traffic?: Partial<TrafficPolicy>;
  readonly spare?: Partial<ServiceUnit> | null;
  readonly answer?: (id: string) => Response | Promise<Response>;
}

function reviews({ endpoints, traffic }: Pick<Setting, "endpoints" | "traffic">): ServiceUnit {
  return service("reviews", { endpoints, traffic: { ...TRAFFIC, failover: TO_SPARE, ...traffic } });
}

/** `reviews` fails over to `spare` (endpoints s and t), and then to `last` (z). */
function meshWith(setting: Setting) {
  const { spare = {}, answer = ok } = setting;
  const got: string[] = [];
  const unit = service("spare", { endpoints: [endpoint("s"), endpoint("t")], ...spare });
  const { kit } = setUp(reviews(setting), [], {
    locality: { region: "eu", zone: "eu-a" },
    send: async ({ id }, _request, destination) => {
      got.push(`${id} of ${destination.service}:${destination.port}`);
      return answer(id);
    },
    more: {
      ...(spare === null ? {} : { "service:shop/spare": unit }),
      "service:shop/last": service("last", { endpoints: [endpoint("z")] }),
    },
  });
  const call = (init: RequestInit = {}): Promise<Response> =>
    kit.run(carry(kit.mesh, new Request("http://reviews/", init), reception()));
  return { kit, got, call };
}

/** Which part of calls each service got. */
async function partsOf({ got, call }: ReturnType<typeof meshWith>, calls = 600) {
  const before = got.length;
  for (let one = 0; one < calls; one++) await call();
  const groups = Map.groupBy(got.slice(before), (line) => /shop\/(\w+)/.exec(line)?.[1] ?? "");
  return Object.fromEntries([...groups].map(([name, lines]) => [name, lines.length / calls]));
}

const four = (down: number): Endpoint[] =>
  ["a", "b", "c", "d"].map((id, index) => endpoint(id, index < down ? DOWN : {}));

test.each<[string, Setting, Readonly<Record<string, number>>]>([
  ["nowhere while it is well", { endpoints: four(1) }, { reviews: 1 }],
  ["as far as it cannot carry them", { endpoints: four(2) }, { reviews: 0.7, spare: 0.3 }],
  ["all, when nothing is left of it", { endpoints: four(4) }, { spare: 1 }],
  ["when it has no endpoints at all", { endpoints: [] }, { spare: 1 }],
  ["past one that does not exist", { endpoints: four(4), spare: null }, { last: 1 }],
  ["past one that is empty", { endpoints: four(4), spare: { endpoints: [] } }, { last: 1 }],
  [
    "to each as far as it can carry them",
    { endpoints: four(4), spare: { endpoints: [endpoint("s"), endpoint("t", DOWN)] } },
    { spare: 0.7, last: 0.3 },
  ],
  [
    "to the subset that is named",
    {
      endpoints: four(4),
      traffic: { failover: [{ service: "shop/spare", subset: "t" }] },
      spare: { subsets: { t: { endpoints: ["t"], traffic: null } } },
    },
    { spare: 1 },
  ],
  [
    "past a subset that does not exist",
    {
      endpoints: four(4),
      traffic: { failover: [{ service: "shop/spare", subset: "x" }, { service: "shop/last" }] },
    },
    { last: 1 },
  ],
  [
    "after all groups of its own",
    {
      endpoints: [
        endpoint("a", { ...DOWN, locality: parseLocality("eu/eu-a") }),
        endpoint("u", { locality: parseLocality("us") }),
      ],
    },
    { reviews: 1 },
  ],
  [
    "to nobody's own failover",
    {
      endpoints: four(4),
      traffic: { failover: [{ service: "shop/spare" }] },
      spare: {
        endpoints: [endpoint("s", DOWN)],
        traffic: { ...TRAFFIC, failover: [{ service: "shop/last" }] },
      },
    },
    { reviews: 1 },
  ],
])("calls fail over %s", async (_name, setting, expected) => {
  const parts = await partsOf(meshWith(setting));
  expect(Object.keys(parts).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, part] of Object.entries(expected))
    expect(Math.abs((parts[name] ?? 0) - part)).toBeLessThan(0.06);
});

test("while others can carry the calls, those that are unhealthy get none", async () => {
  const mesh = meshWith({ endpoints: four(3) });
  await partsOf(mesh);
  expect(new Set(mesh.got)).toEqual(
    new Set(["d of shop/reviews:80", "s of shop/spare:80", "t of shop/spare:80"]),
  );
});

test("a call that fails goes on at another service, and no later one fails", async () => {
  const mesh = meshWith({ endpoints: [endpoint("a")], answer: (id) => (id === "a" ? unreachable() : ok()) });
  const statuses = [];
  for (let one = 0; one < 20; one++) statuses.push((await mesh.call({ method: "POST" })).status);
  expect(statuses).toEqual(statuses.map(() => 200));
  expect(mesh.got.filter((line) => line === "a of shop/reviews:80")).toHaveLength(
    TRAFFIC.circuit.failuresToOpen,
  );
});

test("where nothing may be tried again, at most one call fails", async () => {
  const circuit = { failuresToOpen: 1, openForMs: 60_000, rejects: true };
  const mesh = meshWith({
    endpoints: [endpoint("a")],
    traffic: { circuit },
    answer: (id) => (id === "a" ? unavailable() : ok()),
  });
  const statuses = [];
  for (let one = 0; one < 20; one++) statuses.push((await mesh.call({ method: "POST" })).status);
  expect(statuses).toEqual([503, ...Array.from({ length: 19 }, () => 200)]);
});

test("while another host has the probe of all that is left, others stand in", async () => {
  const circuit = { failuresToOpen: 1, openForMs: 1_000, rejects: true };
  const locality = { ...DEFAULT_LOCALITY, returnMs: 0 };
  const mesh = meshWith({
    endpoints: [endpoint("a")],
    traffic: { circuit, locality },
    answer: (id) => (id === "a" ? unavailable() : ok()),
  });
  mesh.kit.control.claimProbe = () => Promise.resolve(false);
  await mesh.call({ method: "POST" });
  await mesh.kit.advance(1_100);
  expect((await mesh.call({ method: "POST" })).status).toBe(200);
  expect(mesh.got).toEqual(["a of shop/reviews:80", expect.stringContaining("shop/spare")]);
});

test("retries are the call's own, wherever it goes: two, and then it has failed", async () => {
  const mesh = meshWith({ endpoints: [endpoint("a")], answer: unavailable });
  expect((await mesh.call()).status).toBe(503);
  expect(mesh.got.map((line) => line.slice(0, 1))).toEqual([
    "a",
    expect.stringMatching(/[st]/),
    expect.stringMatching(/[st]/),
  ]);
  expect(new Set(mesh.got).size).toBe(3);
});

test("endpoints of two services that have the same id are two", async () => {
  const mesh = meshWith({
    endpoints: [endpoint("s")],
    spare: { endpoints: [endpoint("s")] },
    traffic: { failover: [{ service: "shop/spare" }] },
    answer: (() => {
      const answers = [unavailable, ok];
      return () => (answers.shift() ?? ok)();
    })(),
  });
  expect((await mesh.call()).status).toBe(200);
  expect(mesh.got).toEqual(["s of shop/reviews:80", "s of shop/spare:80"]);
});

test("the policies of who stands in protect it", async () => {
  const mesh = meshWith({ endpoints: four(4), spare: { inbound: [STRICT] } });
  expect(await codeOf(await mesh.call())).toEqual([403, "authz.default_deny"]);
  expect(mesh.got).toEqual([]);
});

test("a call that its own service admitted is not thereby admitted to who stands in", async () => {
  const mesh = meshWith({ endpoints: [endpoint("a")], spare: { inbound: [STRICT] }, answer: unreachable });
  expect(await codeOf(await mesh.call())).toEqual([403, "authz.default_deny"]);
  expect(mesh.got).toEqual(["a of shop/reviews:80"]);
});

test("one that stands in is called at its own port, and told of as who answered", async () => {
  const mesh = meshWith({ endpoints: [], spare: { ports: [{ name: "http", port: 9_080 }] } });
  await mesh.call();
  expect(mesh.got).toEqual([expect.stringMatching(/^[st] of shop\/spare:9080$/)]);
  await mesh.kit.advance(60_000);
  await mesh.call();
  expect(
    mesh.kit.calls.reports.flatMap(({ series }) => series.map(({ labels }) => labels.destination)),
  ).toEqual(["shop/spare"]);
});

test("what recovered gets its calls back in a straight line", async () => {
  const mesh = meshWith({
    endpoints: four(4),
    traffic: { locality: { ...DEFAULT_LOCALITY, returnMs: 20_000 } },
  });
  const own = async (): Promise<number> => (await partsOf(mesh, 300))["reviews"] ?? 0;
  const failed = await own();
  mesh.kit.put({
    "service:shop/reviews": reviews({
      endpoints: four(0),
      traffic: { locality: { ...DEFAULT_LOCALITY, returnMs: 20_000 } },
    }),
  });
  await mesh.kit.advance(2_000);
  await mesh.call();
  await mesh.kit.advance(100);
  await mesh.call();
  await mesh.kit.advance(10_000);
  const half = await own();
  await mesh.kit.advance(10_000);
  const after = await own();
  expect([failed, after]).toEqual([0, 1]);
  expect(Math.abs(half - 0.5)).toBeLessThan(0.12);
});

test("a session that began with who stands in stays there", async () => {
  const affinity = { kind: "cookie", name: "s", lifetime: "session", path: "/" } as const;
  const mesh = meshWith({
    endpoints: four(4),
    traffic: { affinity, locality: { ...DEFAULT_LOCALITY, returnMs: 0 } },
  });
  const begun = await mesh.call();
  const cookie = begun.headers.get("set-cookie")?.split(";")[0] ?? "";
  for (let one = 0; one < 10; one++) await mesh.call({ headers: { cookie } });
  expect(new Set(mesh.got).size).toBe(1);
});

test("all have failed: the answer names the service that was called", async () => {
  const mesh = meshWith({
    endpoints: four(4),
    traffic: { panicRatio: 0, failover: [{ service: "shop/spare" }] },
    spare: { endpoints: [] },
  });
  const answer = await mesh.call();
  expect(await codeOf(answer)).toEqual([503, "endpoint.none"]);
  expect(mesh.got).toEqual([]);
});
