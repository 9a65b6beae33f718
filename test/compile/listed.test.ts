import { expect, test } from "vitest";
import { compileUnit } from "../../shared/compile/compile.ts";
import type { World } from "../../shared/compile/world.ts";
import type { RouteSet } from "../../shared/engine/route.ts";
import { worldOf } from "./worlds.ts";

const SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 80}]}}";
const GATEWAY = `{apiVersion: networking.istio.io/v1, kind: Gateway, metadata: {name: edge}, spec: {servers: [
  {port: {number: 80, protocol: HTTP}, hosts: ['*']}]}}`;

/** A VirtualService whose rules are prefixes; the empty one is a rule for everything. */
function virtualService(name: string, prefixes: readonly string[], more = "hosts: [web]"): string {
  const to = "route: [{destination: {host: web}}]";
  const rules = prefixes.map((prefix) =>
    prefix === "" ? `{${to}}` : `{match: [{uri: {prefix: ${prefix}}}], ${to}}`,
  );
  return `{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: ${name}}, spec: {${more}, http: [${rules.join(", ")}]}}`;
}

const AT_EDGE = "hosts: ['*'], gateways: [edge]";

function httpRoute(path: string): string {
  return `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: own}, spec: {
    parentRefs: [{kind: Service, group: '', name: web}],
    rules: [{matches: [{path: {value: ${path}}}], backendRefs: [{name: web, port: 80}]}]}}`;
}

function world(...documents: readonly string[]): World {
  return worldOf(documents.join("\n---\n"));
}

/** The paths of a route set in the order in which they win. */
function pathsOf({ entries }: RouteSet): readonly string[] {
  return entries.map(({ path }) => path.value);
}

function atService(...documents: readonly string[]): readonly string[] {
  const unit = compileUnit(world(SERVICE, ...documents), "service:shop/web");
  return unit?.kind === "service" ? unit.routes.flatMap(({ routes }) => pathsOf(routes)) : [];
}

function atGateway(...documents: readonly string[]): readonly string[] {
  const unit = compileUnit(world(SERVICE, GATEWAY, ...documents), "host:shop/istiogateway.edge/http-0-0#*");
  return unit?.kind === "virtual-host" ? pathsOf(unit.routes) : [];
}

test("listed rules keep their order, whatever Gateway API would say", () => {
  expect(atService(virtualService("a", ["/x", "/x/long", ""]))).toEqual(["/x", "/x/long", "/"]);
});

test("they come before those of routes without an order", () => {
  expect(atService(httpRoute("/very/long"), virtualService("a", ["/x", ""]))).toEqual([
    "/x",
    "/",
    "/very/long",
  ]);
});

test("inside the mesh the oldest VirtualService of a host counts, and no other", () => {
  expect(atService(virtualService("b", ["/b"]), virtualService("a", ["/a", ""]))).toEqual(["/b"]);
});

test("at a Gateway they are merged, the older first and rules for everything last", () => {
  const documents = [virtualService("b", ["/b", ""], AT_EDGE), virtualService("a", ["/a"], AT_EDGE)];
  expect(atGateway(...documents)).toEqual(["/b", "/a", "/"]);
});

function policy(name: string, spec: string): string {
  return `{apiVersion: selvedge.dev/v1, kind: TrafficPolicy, metadata: {name: ${name}}, spec: {
    targetRefs: [{kind: Service, name: web}], ${spec}}}`;
}

const subset = (name: string, version: string) => `subsets: [{name: ${name}, labels: {version: ${version}}}]`;

function endpoint(version: string): string {
  return `{apiVersion: selvedge.dev/v1, kind: Endpoint, metadata: {name: ${version}, labels: {version: ${version}}},
    spec: {address: 'binding:WEB', services: [web]}}`;
}

test("subsets come from every policy, the settings from the oldest that has some", () => {
  const unit = compileUnit(
    world(
      SERVICE,
      endpoint("v1"),
      endpoint("v2"),
      policy("first", subset("one", "v1")),
      policy("second", "panicThreshold: 7"),
      policy("third", `panicThreshold: 9, ${subset("two", "v2")}`),
      policy("fourth", subset("one", "v2")),
    ),
    "service:shop/web",
  );
  expect(unit).toMatchObject({
    traffic: { panicRatio: 0.07 },
    subsets: {
      one: { endpoints: ["v1"], traffic: { panicRatio: 0.07 } },
      two: { endpoints: ["v2"], traffic: { panicRatio: 0.07 } },
    },
  });
});
