import { describe, expect, test } from "vitest";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import type { OutlierPolicy } from "../../shared/engine/outlier.ts";
import { carry, type Goal } from "../../shared/forward/carry.ts";
import { refuse } from "../../shared/forward/refusal.ts";
import { respond } from "../../shared/forward/answers.ts";
import { endpoint } from "../engine/endpoints.ts";
import { broken, get, never, ok, reception, setUp, THREE, unavailable, unreachable } from "../fakes/loop.ts";
import { START, type MeshKit } from "../fakes/mesh-kit.ts";
import { service, TRAFFIC } from "../fakes/units.ts";

const OUTLIER: OutlierPolicy = {
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectedRatio: 0.1,
  consecutive5xx: 3,
  consecutiveGatewayErrors: null,
  consecutiveLocalFailures: null,
  splitsLocalFailures: false,
  successRate: null,
  failurePercentage: null,
};

type Answer = () => Response | Promise<Response>;

interface Setting {
  readonly endpoints?: readonly Endpoint[];
  readonly outlier?: Partial<OutlierPolicy> | null;
  readonly panicRatio?: number;
  /** By endpoint; `ok` unless given. */
  readonly answers?: Readonly<Record<string, Answer>>;
}

/** A host whose circuits never open, so that outlier detection alone decides. */
function start({ endpoints = THREE, outlier = {}, panicRatio = 0.5, answers = {} }: Setting): {
  kit: MeshKit;
  call(count: number): Promise<string>;
} {
  const traffic = {
    ...TRAFFIC,
    timeouts: { requestMs: 1_000 },
    retry: { ...TRAFFIC.retry, retries: 0 },
    circuit: { failuresToOpen: 1e9, openForMs: 1_000, rejects: true },
    panicRatio,
    ...(outlier === null ? {} : { outlier: { ...OUTLIER, ...outlier } }),
  };
  let called: string[] = [];
  const { kit } = setUp(service("reviews", { endpoints, traffic }), [], {
    send: async ({ id }) => {
      called.push(id);
      return (answers[id] ?? ok)();
    },
  });
  const call = async (count: number): Promise<string> => {
    called = [];
    for (let left = count; left > 0; left--) await kit.run(carry(kit.mesh, get(), reception()));
    return called.sort().join("");
  };
  return { kit, call };
}

const status = (code: number) => (): Response => new Response("", { status: code });

/** An answer that a host of the mesh gives itself. */
const refusal = (code: Parameters<typeof refuse>[0], as?: number) => (): Response => {
  const refused = refuse(code, "for a test");
  return respond(as === undefined ? refused : { ...refused, status: as }, "id", "GET");
};

describe("an endpoint", () => {
  test("that fails too often in a row is left out, told of, and back when its time is over", async () => {
    const { kit, call } = start({ answers: { a: unavailable } });

    expect(await call(9)).toBe("aaabbbccc");
    expect(await call(4)).toBe("bbcc");
    await kit.advance(30_000);
    expect(await call(3)).toBe("abc");

    expect(kit.calls.reports.reduce((sum, { host }) => sum + host.ejections, 0)).toBe(1);
    // The call that loaded the mesh's configuration took its time.
    const until = new Date(START + 30_002).toISOString();
    expect(kit.lines.filter(({ event }) => event === "outlier.ejected")).toEqual([
      { event: "outlier.ejected", service: "shop/reviews", endpoint: "a", until },
    ]);
  });

  test.each<[string, Answer, boolean]>([
    ["500", status(500), true],
    ["a broken connection", broken, true],
    ["no connection", unreachable, true],
    ["no answer in time", never, true],
    ["429", status(429), false],
    ["404", status(404), false],
    ["a fault of the mesh", refusal("fault.abort", 503), false],
    ["a limit of the mesh that cannot be asked", refusal("ratelimit.unavailable"), false],
    ["no answer, as the next host of the mesh tells it", refusal("upstream.broken"), true],
    ["none in time, as the next host tells it", refusal("upstream.timeout"), true],
  ])("that answers with %s", async (_name, answer, isOut) => {
    const { call } = start({ answers: { a: answer } });
    await call(9);
    expect(await call(6)).toBe(isOut ? "bbbccc" : "aabbcc");
  });

  test("that the next host cannot reach is no 5xx where local failures are split", async () => {
    const split = { splitsLocalFailures: true, consecutive5xx: 3 };
    const { call } = start({ outlier: split, answers: { a: refusal("upstream.broken") } });
    await call(9);
    expect(await call(3)).toBe("abc");
  });

  test("stays where no policy asks for outlier detection, and nothing is reported", async () => {
    const { kit, call } = start({ outlier: null, answers: { a: unavailable } });
    await call(9);
    await kit.advance(60_000);
    expect(await call(3)).toBe("abc");
    expect(kit.calls.outcomes).toEqual([]);
  });

  test("that the mesh keeps out is avoided by the first call of a fresh isolate, until its time is over", async () => {
    const endpoints = [endpoint("a", { ejectedUntil: START + 20_000 }), endpoint("b"), endpoint("c")];
    const { kit, call } = start({ endpoints });
    expect(await call(6)).toBe("bbbccc");
    await kit.advance(20_000);
    expect(await call(3)).toBe("abc");
  });

  test("that the shared circuit has taken out is avoided by the first call of a fresh isolate", async () => {
    const { call } = start({ endpoints: [endpoint("a", { isEjected: true }), ...THREE.slice(1)] });
    expect(await call(6)).toBe("bbbccc");
  });

  test("is called nevertheless when too few would be left", async () => {
    const endpoints = [
      endpoint("a", { ejectedUntil: START + 60_000 }),
      endpoint("b", { health: "unhealthy" }),
    ];
    const { call } = start({ endpoints });
    expect(await call(2)).toBe("ab");
  });

  test("goes with its share: one that is out for all leaves no room for another", async () => {
    const endpoints = [endpoint("a", { ejectedUntil: START + 60_000 }), ...THREE.slice(1)];
    const { call } = start({ endpoints, panicRatio: 0, answers: { b: unavailable } });
    expect(await call(10)).toBe("bbbbbccccc");
  });

  test("that another host chose counts there, not here", async () => {
    const { kit } = start({ answers: { b: unavailable } });
    const goal: Goal = { kind: "endpoint", service: "shop/reviews", port: 80, endpoint: "b" };
    for (let call = 0; call < 5; call++)
      await kit.run(carry(kit.mesh, get(), reception({ goalOf: () => goal })));
    await kit.advance(1_000);
    expect([kit.mesh.state.meter.host.ejections, kit.calls.outcomes]).toEqual([0, []]);
  });
});

test("subsets are looked at by themselves, each by its policy", async () => {
  const traffic = { ...TRAFFIC, retry: { ...TRAFFIC.retry, retries: 0 } };
  const subsets = {
    old: { endpoints: ["a", "b"], traffic: { ...traffic, outlier: OUTLIER } },
    new: { endpoints: ["a", "b"], traffic },
  };
  const unit = service("reviews", { endpoints: THREE, traffic, subsets });
  const { kit } = setUp(unit, []);
  await kit.run(carry(kit.mesh, get(), reception()));
  const linked = kit.mesh.state.snapshot.view.units.get("service:shop/reviews");
  if (linked?.kind !== "service") throw new Error("reviews is not loaded");
  const { whole, subsets: pools } = linked.pools;
  expect([whole.tracker, pools.get("new")?.tracker, pools.get("old")?.tracker === null]).toEqual([
    null,
    null,
    false,
  ]);

  kit.put({ "service:shop/reviews": { ...unit, subsets: {} } });
  await kit.advance(2_000);
  await kit.run(carry(kit.mesh, get(), reception()));
  expect(linked.traffic.trackers.size).toBe(0);
});
