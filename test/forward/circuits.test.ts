import { expect, test } from "vitest";
import type { CircuitPolicy } from "../../shared/engine/circuit.ts";
import type { Endpoint } from "../../shared/engine/endpoint.ts";
import { carry, type Goal } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { get, ok, reception, setUp, THREE, unavailable } from "../fakes/loop.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { service, TRAFFIC } from "../fakes/units.ts";

const POLICY: CircuitPolicy = { failuresToOpen: 1, openForMs: 10_000, rejects: true };

interface Host {
  readonly kit: MeshKit;
  /** Endpoints that answer 503. */
  readonly failing: Set<string>;
  /** How long probes were claimed for, by endpoint. */
  readonly claims: string[];
  /** Which endpoints were called; `-` for none. */
  call(count?: number): Promise<string>;
  /** What the registry says of endpoints from now on. */
  configure(endpoints: readonly Endpoint[]): Promise<void>;
}

function start(circuit: CircuitPolicy, endpoints: readonly Endpoint[] = [endpoint("a")]): Host {
  const traffic = { ...TRAFFIC, retry: { ...TRAFFIC.retry, retries: 0 }, circuit, panicRatio: 0 };
  const failing = new Set<string>();
  const claims: string[] = [];
  let called: string[] = [];
  const { kit } = setUp(service("reviews", { endpoints, traffic }), [], {
    send: async ({ id }) => {
      called.push(id);
      return failing.has(id) ? unavailable() : ok();
    },
  });
  kit.control.claimProbe = async (_service, id, _reporter, forMs) => {
    claims.push(`${id} ${forMs}`);
    return true;
  };
  return {
    kit,
    failing,
    claims,
    call: async (count = 1) => {
      called = [];
      for (let left = count; left > 0; left--) await kit.run(carry(kit.mesh, get(), reception()));
      return called.sort().join("") || "-";
    },
    configure: async (changed) => {
      kit.put({ "service:shop/reviews": service("reviews", { endpoints: changed, traffic }) });
      await kit.advance(2_000);
      await kit.run(carry(kit.mesh, new Request("http://reviews/"), reception()));
    },
  };
}

test("claims the probe for as long as the circuit is open, longer after each that failed", async () => {
  const { kit, failing, claims, call } = start({ ...POLICY, maxOpenForMs: 25_000 });
  failing.add("a");
  await call();
  const calls: string[] = [];
  for (const ms of [10_000, 19_000, 1_000, 25_000]) {
    await kit.advance(ms);
    calls.push(await call());
  }
  expect(calls).toEqual(["a", "-", "a", "a"]);
  expect(claims).toEqual(["a 10000", "a 20000", "a 25000"]);
  const open = { endpoint: "a", reporter: "reporter-1", state: "open" };
  expect(kit.calls.circuits).toEqual(
    [10_000, 20_000, 25_000, 25_000].map((openForMs) => ({ ...open, openForMs })),
  );
});

test("opens at a share of failures, however they are spread", async () => {
  const failureRatio = { ratio: 0.5, windowMs: 10_000, minCalls: 4 };
  const { kit, failing, call } = start({ ...POLICY, failuresToOpen: 1e9, failureRatio });
  const calls: string[] = [];
  for (const isFailing of [false, true, false, true, true, true]) {
    if (isFailing) failing.add("a");
    else failing.clear();
    calls.push(await call());
  }
  expect(calls).toEqual(["a", "a", "a", "a", "-", "-"]);
  expect(kit.calls.circuits).toHaveLength(1);
});

test("an endpoint that the shared circuit took out comes back by a probe of a host whose circuit is due", async () => {
  const { kit, failing, claims, call, configure } = start(POLICY, THREE);
  failing.add("a");
  await call(3);
  await configure([endpoint("a", { isEjected: true }), ...THREE.slice(1)]);
  const before = await call(6);
  failing.clear();
  await kit.advance(10_000);
  const after = await call(6);

  expect(before).toBe("bbbccc");
  expect(claims).toEqual(["a 10000"]);
  expect(after.replaceAll(/[bc]/g, "")).toBe("a");
  expect(kit.calls.circuits.map(({ state }) => state)).toEqual(["open", "closed"]);
});

test("what another host found well again is called at once", async () => {
  const { claims, failing, call, configure } = start({ ...POLICY, openForMs: 600_000 }, THREE);
  failing.add("a");
  await call(3);
  failing.clear();
  await configure([endpoint("a", { isEjected: true }), ...THREE.slice(1)]);
  expect(await call(6)).toBe("bbbccc");
  await configure(THREE);
  expect(await call(3)).toBe("abc");
  expect(claims).toEqual([]);
});

test("a call to an endpoint that another host chose says nothing here: the other reports it", async () => {
  const { kit, failing } = start(POLICY);
  failing.add("a");
  const goal: Goal = { kind: "endpoint", service: "shop/reviews", port: 80, endpoint: "a" };
  for (let call = 0; call < 3; call++)
    await kit.run(carry(kit.mesh, get(), reception({ goalOf: () => goal })));
  expect(kit.calls.circuits).toEqual([]);
});
