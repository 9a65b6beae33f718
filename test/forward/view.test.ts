import { expect, test } from "vitest";
import type { Unit } from "../../shared/engine/snapshot.ts";
import { BLANK, fillIn, swapIn } from "../../shared/forward/view.ts";
import type { View } from "../../shared/forward/view.ts";
import { endpoint } from "../engine/endpoints.ts";
import { compilePattern } from "../../shared/wire/pattern.ts";
import { seeded } from "../engine/random.ts";
import { backend, directory, listener, PERMISSIVE, routeSet, service, workload } from "../fakes/units.ts";

const LINKING = { random: seeded(1), compilePattern };

function swapped(view: View, units: Readonly<Record<string, Unit>>, version = view.version + 1): View {
  const swap = swapIn(view, { version, units: Object.entries(units), missing: [] }, LINKING);
  if (swap.kind === "refused") throw new Error(swap.why);
  return swap.view;
}

function linkedService(
  view: View,
  key: string,
): Extract<ReturnType<View["units"]["get"]>, { kind: "service" }> {
  const linked = view.units.get(key);
  if (linked?.kind !== "service") throw new Error(`${key} is no service`);
  return linked;
}

const { traffic, ...withoutTraffic } = service("a");

test.each<[string, unknown]>([
  ["the unit is of an unknown kind", { kind: "novelty" }],
  ["the unit is malformed", null],
  ["keys, listeners and domains must be lists", { ...directory(), keys: "none" }],
  [
    "keys, listeners and domains must be lists",
    directory({ listeners: [{ ...listener("g"), domains: "x" as never }] }),
  ],
  ["a list is missing", { ...service("a"), endpoints: {} }],
  [
    "an endpoint names policies that are not there",
    service("a", { endpoints: [endpoint("a", { inbound: 1 })] }),
  ],
  ["an endpoint names policies that are not there", service("a", { inbound: [] })],
  ["inbound is malformed", service("a", { inbound: [{ ...PERMISSIVE, limits: "none" as never }] })],
  ["the unit is malformed", withoutTraffic],
  ["traffic is malformed", { ...withoutTraffic, traffic: { ...traffic, failover: {} } }],
  ["traffic is malformed", { ...withoutTraffic, traffic: { ...traffic, locality: { failover: [] } } }],
  [
    "traffic is malformed",
    { ...withoutTraffic, traffic: { ...traffic, retry: { ...traffic.retry, on: 1 } } },
  ],
  [
    "a route names an action that is not there",
    service("a", {
      routes: [{ port: null, consumerNamespace: null, routes: { ...routeSet({}), actions: [] } }],
    }),
  ],
  ["routes are malformed", { kind: "virtual-host", authorization: { deny: [], allow: null }, routes: {} }],
  ["authorization is malformed", { kind: "virtual-host", authorization: {}, routes: routeSet({}) }],
  ["inbound is malformed", workload({ ...PERMISSIVE, limits: null as never })],
])("refuses a unit because %s, and everything that came with it", (why, unit) => {
  const answer = {
    version: 2,
    units: [
      ["service:shop/good", service("good")],
      ["bad", unit as Unit],
    ],
    missing: [],
  };

  expect(swapIn(BLANK, answer as never, LINKING)).toEqual({ kind: "refused", why: `bad: ${why}` });
});

test("takes every kind of unit", () => {
  const view = swapped(BLANK, {
    directory: directory({ listeners: [listener("g")] }),
    "service:shop/a": service("a", {
      routes: [{ port: 80, consumerNamespace: "x", routes: routeSet({ backends: [backend("b")] }) }],
    }),
    "workload:shop/a": workload(PERMISSIVE),
  });

  expect([...view.units.values()].map(({ kind }) => kind)).toEqual(["directory", "service", "workload"]);
});

test("keeps what an isolate knows of a service's endpoints, and forgets those that are gone", () => {
  const before = swapped(BLANK, { a: service("a", { endpoints: [endpoint("x"), endpoint("y")] }) });
  const { traffic } = linkedService(before, "a");
  traffic.circuits.set("x", { kind: "closed", failures: 1 });
  traffic.circuits.set("y", { kind: "closed", failures: 2 });

  const after = swapped(before, { a: service("a", { endpoints: [endpoint("y"), endpoint("z")] }) });

  expect(linkedService(after, "a").traffic).toBe(traffic);
  expect([...traffic.circuits.keys()]).toEqual(["y"]);
});

test.each<[string, View, number, number]>([
  ["a view that has nothing takes the store's version", BLANK, 7, 7],
  ["a newer view becomes as old as the store's units", { ...BLANK, version: 9 }, 7, 7],
  ["an older view stays as old as it is", { ...BLANK, version: 5 }, 7, 5],
])("%s", (_, view, version, expected) => {
  const answer = { version, units: [["service:shop/a", service("a")] as const], missing: [] };

  expect(viewOf(fillIn(view, answer, LINKING)).version).toBe(expected);
});

test("remembers what is missing until it is there", () => {
  const first = swapIn(BLANK, { version: 1, units: [], missing: ["a"] }, LINKING);
  const same = swapIn(viewOf(first), { version: 1, units: [], missing: ["b"] }, LINKING);
  const moved = swapIn(viewOf(same), { version: 2, units: [["a", service("a")]], missing: ["c"] }, LINKING);

  expect([...viewOf(same).missing]).toEqual(["a", "b"]);
  expect([...viewOf(moved).missing]).toEqual(["b", "c"]);
});

function viewOf(swap: ReturnType<typeof swapIn>): View {
  if (swap.kind === "refused") throw new Error(swap.why);
  return swap.view;
}

test("remembers 250 missing names and no more, the latest", () => {
  const names = Array.from({ length: 1_500 }, (_, n) => `service:shop/${n}`);

  const { missing } = viewOf(swapIn(BLANK, { version: 1, units: [], missing: names }, LINKING));

  expect([...missing]).toEqual(names.slice(1_250));
});
