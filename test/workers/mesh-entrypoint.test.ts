import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { expect, test } from "vitest";
import { telemetryOf, type Env } from "../../durable-objects/env.ts";
import { LATENCY_BOUNDS_MS, type CallReport } from "../../shared/wire/call-record.ts";
import type { MeshProps } from "../../shared/wire/rpc.ts";
import { controlOf } from "../../workers/edge/control.ts";
import { Mesh } from "../../workers/mesh-entrypoint.ts";
import { NO_COUNTS } from "../fakes/counts.ts";

const env: Env = bindings;

/** The mesh as a Worker with these props finds it. */
function boundBy(props: unknown): Mesh {
  const ctx = Object.assign(createExecutionContext(), { props: props as MeshProps });
  return new Mesh(ctx, env);
}

function report(reporter: string, source: string): CallReport {
  const labels = {
    source,
    destination: "vouch/called",
    version: "",
    route: "",
    method: "GET",
    statusClass: "2xx",
    reason: "",
  };
  const buckets = [1, ...LATENCY_BOUNDS_MS.map(() => 0)];
  return {
    reporter,
    sequence: 1,
    series: [{ labels, count: 1, sumMs: 1, buckets }],
    host: NO_COUNTS,
  };
}

test("a Worker's calls are counted as its own, whoever it says made them and whatever name it takes", async () => {
  await boundBy({ namespace: "vouch", serviceAccount: "one" }).report(report("isolate", "bank/teller"));
  await boundBy({ namespace: "vouch", serviceAccount: "two" }).report(report("isolate", "bank/teller"));

  const { series } = await telemetryOf(env).totals();
  const ours = series.filter(({ labels }) => labels.destination === "vouch/called");
  expect(ours.map(({ labels, count }) => [labels.source, count]).toSorted()).toEqual([
    ["vouch/one", 1],
    ["vouch/two", 1],
  ]);
});

test("a Worker cannot claim a probe in another's name, nor take back what another reported", async () => {
  const one = boundBy({ namespace: "vouch", serviceAccount: "one" });
  const two = boundBy({ namespace: "vouch", serviceAccount: "two" });

  const claims = [
    await one.claimProbe("vouch/probed", "a", "isolate"),
    await one.claimProbe("vouch/probed", "a", "isolate"),
    await two.claimProbe("vouch/probed", "a", "isolate"),
  ];
  await one.reportCircuits("vouch/reported", [{ endpoint: "a", reporter: "isolate", state: "open" }]);
  const stored = await runInDurableObject(env.CIRCUIT.getByName("vouch/reported"), async (_object, state) =>
    JSON.stringify([...(await state.storage.list()).values()], (_key, value) =>
      value instanceof Map ? [...value] : value,
    ),
  );

  expect(claims).toEqual([true, true, false]);
  expect(stored).toContain("vouch/one#isolate");
});

test("a Worker spends tokens that are for itself, and no other's", async () => {
  const token = {
    audience: `spiffe://${env.SELVEDGE_TRUST_DOMAIN}/ns/vouch/sa/one`,
    id: "t-1",
    expiresAt: Date.now() + 60_000,
  };
  const [one, two] = ["one", "two"].map((serviceAccount) => boundBy({ namespace: "vouch", serviceAccount }));

  await expect(two?.spend(token)).rejects.toThrow("somebody else");
  expect([await one?.spend(token), await one?.spend(token)]).toEqual([
    { kind: "spent" },
    { kind: "replayed" },
  ]);
  await expect(one?.spend({ ...token, audience: `spiffe://${env.SELVEDGE_TRUST_DOMAIN}` })).rejects.toThrow(
    "somebody else",
  );
  await expect(boundBy({}).spend(token)).rejects.toThrow("needs props");
});

test("a Worker and the edge charge one bucket of its namespace, and it reaches no other's", async () => {
  const rate = { requests: 1, perMs: 3_600_000, burst: 3 };
  const request = { policy: "vouch/limits[0]", key: "k", rate, cost: 1 };
  const one = boundBy({ namespace: "vouch", serviceAccount: "one" });

  await one.take(request);
  const atEdge = await controlOf(env).take(request);
  const ask = { calls: 1, withinMs: 1_000 };
  const { slots } = await one.lease({ policy: "vouch/leased[15]", key: "k", rate, ask });

  expect([atEdge.remaining, slots.length]).toEqual([1, 1]);
});

test.each([
  ["another namespace", "bank/limits[0]"],
  ["the mesh's own", "selvedge-system/limits[0]"],
  ["a namespace whose name begins alike", "vouch-2/limits[0]"],
  ["a name that no policy has", "vouch/limits[0]#1/bank/limits[0]"],
  ["no policy", "vouch/"],
])("a limit of %s is none of a Worker's business", async (_name, policy) => {
  const rate = { requests: 1, perMs: 1_000, burst: 1 };
  const one = boundBy({ namespace: "vouch", serviceAccount: "one" });

  const refusals = [
    one.take({ policy, key: "k", rate, cost: 1 }),
    one.lease({ policy, key: "k", rate, ask: { calls: 1, withinMs: 1_000 } }),
  ];

  for (const refusal of refusals) await expect(refusal).rejects.toThrow("of another namespace");
  const left = await controlOf(env).take({ policy, key: "k", rate, cost: 0 });
  expect(left.remaining).toBe(1);
});

test.each([
  ["without props", undefined],
  ["without a namespace", { serviceAccount: "one" }],
  ["whose props are no names", { namespace: "a/b", serviceAccount: "one" }],
])("a binding %s is refused as the mesh refuses everything", async (_name, props) => {
  const nobody = boundBy(props);

  const response = await nobody.fetch(new Request("http://reviews/", { headers: { "x-request-id": "r-1" } }));

  expect([response.status, response.headers.get("content-type")]).toEqual([401, "application/problem+json"]);
  expect(await response.json()).toMatchObject({ code: "authn.missing", instance: "r-1" });
  await expect(nobody.report(report("isolate", "bank/teller"))).rejects.toThrow("needs props");
  await expect(nobody.claimProbe("vouch/probed", "a", "isolate")).rejects.toThrow("needs props");
});
