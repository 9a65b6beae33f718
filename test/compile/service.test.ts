import { describe, expect, test } from "vitest";
import type { ServiceUnit } from "../../shared/engine/snapshot.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import { DEFAULT_TRAFFIC } from "../../shared/compile/traffic.ts";
import { setEjected, setRegistered, type World } from "../../shared/compile/world.ts";
import { servicesOf } from "../../shared/compile/status.ts";
import type { RegisteredEndpoint } from "../../shared/wire/registry-rpc.ts";
import { worldOf } from "./worlds.ts";

const REVIEWS = `
apiVersion: v1
kind: Service
metadata: { name: reviews }
spec: { selector: { app: reviews }, ports: [{ name: http, port: 9080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: reviews-v2 }
spec: { selector: { app: reviews, version: v2 }, ports: [{ port: 9080 }] }
---
apiVersion: selvedge.dev/v1
kind: Endpoint
metadata: { name: reviews-v1, labels: { app: reviews, version: v1 } }
spec: { address: "binding:REVIEWS_V1", serviceAccount: reviews, joined: true }
---
apiVersion: selvedge.dev/v1
kind: Endpoint
metadata: { name: reviews-v2, labels: { app: reviews, version: v2 } }
spec: { address: "https://reviews.example.com/", weight: 3 }
`;

const OPEN = { peer: "strict", authorization: { deny: [], allow: null }, limits: [] } as const;

function serviceOf(world: World, name: string): ServiceUnit {
  const unit = compileUnit(world, `service:${name}`);
  if (unit?.kind !== "service") throw new Error(`there is no service ${name}`);
  return unit;
}

function registered(
  id: string,
  labels: Record<string, string>,
  changes: Partial<RegisteredEndpoint> = {},
): RegisteredEndpoint {
  return {
    id,
    address: `https://${id}.example.com`,
    labels,
    weight: 1,
    health: "healthy",
    isJoined: false,
    serviceAccount: null,
    ...changes,
  };
}

function idsOf(world: World, name: string): string[] {
  return serviceOf(world, name).endpoints.map(({ id }) => id);
}

test("a service has the endpoints that its selector matches, and defaults for the rest", () => {
  expect(compileUnit(worldOf(REVIEWS), "service:shop/reviews")).toEqual({
    kind: "service",
    namespace: "shop",
    name: "reviews",
    ports: [{ name: "http", port: 9080 }],
    endpoints: [
      {
        id: "reviews-v1",
        address: { kind: "binding", name: "REVIEWS_V1" },
        version: "v1",
        weight: 1,
        health: "healthy",
        isEjected: false,
        isJoined: true,
        workload: "shop/reviews",
        inbound: 0,
      },
      {
        id: "reviews-v2",
        address: { kind: "origin", url: "https://reviews.example.com" },
        version: "v2",
        weight: 3,
        health: "healthy",
        isEjected: false,
        isJoined: false,
        workload: "shop/default",
        inbound: 0,
      },
    ],
    inbound: [OPEN],
    routes: [],
    traffic: DEFAULT_TRAFFIC,
    subsets: {},
  });
});

test("a workload is one declared endpoint", () => {
  expect(compileUnit(worldOf(REVIEWS), "workload:shop/reviews-v1")).toEqual({
    kind: "workload",
    workload: "shop/reviews",
    ports: [9080],
    inbound: OPEN,
  });
  expect(compileUnit(worldOf(REVIEWS), "workload:shop/reviews-v2")).toEqual({
    kind: "workload",
    workload: "shop/default",
    inbound: OPEN,
  });
});

test.each([
  ["service:shop/none"],
  ["service:none/reviews"],
  ["service:reviews"],
  ["workload:shop/none"],
  ["workload:none/none"],
  ["host:shop/gateway/http#*"],
  ["host:"],
  ["reviews"],
  ["toString:x"],
  [""],
])("there is no unit %j, and asking for it leaves no trace", (key) => {
  const world = worldOf(REVIEWS);
  const namespaces = [...world.spaces.keys()];
  expect(compileUnit(world, key)).toBeNull();
  expect([...world.spaces.keys()]).toEqual(namespaces);
});

describe("membership", () => {
  test.each([
    ["a selector of two labels", "selector: { app: reviews, version: v2 }", ["reviews-v2"]],
    ["a selector that matches nothing", "selector: { app: none }", []],
    ["a selector with a label that nothing has", "selector: { app: reviews, tier: none }", []],
    ["no selector", "ports: []", []],
  ])("%s", (_name, spec, ids) => {
    const world = worldOf(
      `${REVIEWS}\n---\n{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {${spec}}}`,
    );
    expect(idsOf(world, "shop/x")).toEqual(ids);
  });

  test("ends at the namespace", () => {
    const world = worldOf(
      `${REVIEWS}\n---\n{apiVersion: v1, kind: Service, metadata: {name: x, namespace: other}, spec: {selector: {app: reviews}}}`,
    );
    expect(idsOf(world, "other/x")).toEqual([]);
  });

  test("can be declared by the endpoint", () => {
    const world = worldOf(`
{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {}}
---
{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: e}, spec: {address: "binding:E", services: [x]}}`);
    expect(idsOf(world, "shop/x")).toEqual(["e"]);
  });

  test("of registered endpoints follows the service that they name, and labels", () => {
    const world = worldOf(REVIEWS);
    const changed = setRegistered(world, "shop/reviews", [
      registered("b", { app: "reviews", version: "v2" }),
      registered("a", {}, { health: "draining", serviceAccount: "a", isJoined: true, weight: 7 }),
      registered("broken", {}, { address: "ftp://x" }),
    ]);
    expect(idsOf(world, "shop/reviews")).toEqual(["reviews-v1", "reviews-v2", "a", "b"]);
    expect(idsOf(world, "shop/reviews-v2")).toEqual(["reviews-v2", "reviews/b"]);
    expect(serviceOf(world, "shop/reviews").endpoints[2]).toEqual({
      id: "a",
      address: { kind: "origin", url: "https://a.example.com" },
      version: "",
      weight: 7,
      health: "draining",
      isEjected: false,
      isJoined: true,
      workload: "shop/a",
      inbound: 0,
    });
    expect([...changed].sort()).toEqual(["service:shop/reviews", "service:shop/reviews-v2"]);

    expect([...setRegistered(world, "shop/reviews", [])].sort()).toEqual([...changed].sort());
    expect(idsOf(world, "shop/reviews-v2")).toEqual(["reviews-v2"]);
  });

  test("counts an instance that registers with two services once", () => {
    const world = worldOf(REVIEWS);
    const labels = { app: "reviews", version: "v2" };
    setRegistered(world, "shop/reviews", [registered("a", labels)]);
    setRegistered(world, "shop/reviews-v2", [registered("a", labels)]);
    expect(idsOf(world, "shop/reviews")).toEqual(["reviews-v1", "reviews-v2", "a"]);
    expect(idsOf(world, "shop/reviews-v2")).toEqual(["reviews-v2", "a"]);
  });

  test("prefers a declared endpoint to a registered one of the same id", () => {
    const world = worldOf(REVIEWS);
    setRegistered(world, "shop/reviews", [
      registered("reviews-v1", {}, { address: "https://evil.example.com" }),
    ]);
    expect(serviceOf(world, "shop/reviews").endpoints.map(({ address }) => address)).toEqual([
      { kind: "binding", name: "REVIEWS_V1" },
      { kind: "origin", url: "https://reviews.example.com" },
    ]);
  });
});

test("an ejection is of one endpoint in one service", () => {
  const world = worldOf(REVIEWS);
  expect(setEjected(world, "shop/reviews", ["reviews-v2", "gone"])).toEqual(
    new Set(["service:shop/reviews"]),
  );
  const ejected = (name: string) =>
    serviceOf(world, name)
      .endpoints.filter(({ isEjected }) => isEjected)
      .map(({ id }) => id);
  expect([ejected("shop/reviews"), ejected("shop/reviews-v2")]).toEqual([["reviews-v2"], []]);
  setEjected(world, "shop/reviews", []);
  expect(ejected("shop/reviews")).toEqual([]);
});

test("services are listed with their endpoints", () => {
  const world = worldOf(`${REVIEWS}
---
{apiVersion: v1, kind: Service, metadata: {name: a, namespace: other}, spec: {}}`);
  setRegistered(world, "shop/reviews", [
    registered("z", { version: "v2", app: "reviews" }, { health: "unhealthy" }),
  ]);
  setEjected(world, "shop/reviews-v2", ["reviews/z"]);
  const empty = { namespace: "other", name: "a", ports: [], endpoints: [] };
  expect(servicesOf(world, "other", 0)).toEqual([empty]);
  expect(servicesOf(world, "none", 0)).toEqual([]);
  expect(servicesOf(world, null, 0).map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
    "other/a",
    "shop/reviews",
    "shop/reviews-v2",
  ]);
  expect(servicesOf(world, "shop", 0)[1]).toEqual({
    namespace: "shop",
    name: "reviews-v2",
    ports: [{ name: "", port: 9080 }],
    endpoints: [
      {
        id: "reviews-v2",
        address: "https://reviews.example.com",
        version: "v2",
        weight: 3,
        health: "healthy",
        isEjected: false,
        source: "declared",
      },
      {
        id: "reviews/z",
        address: "https://z.example.com",
        version: "v2",
        weight: 1,
        health: "unhealthy",
        isEjected: true,
        source: "registered",
      },
    ],
  });
});
