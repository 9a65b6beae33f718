/** Consul's config entries that say something of other services: their chains follow, in whatever order entries come and go. */
import { expect, test } from "vitest";
import { affected } from "../../shared/compile/affected.ts";
import { compileUnit } from "../../shared/compile/compile.ts";
import { createWorld, put, remove, type World } from "../../shared/compile/world.ts";
import { serviceKey } from "../../shared/engine/snapshot.ts";
import { createLinks, entriesIn, link } from "../../shared/front-doors/consul/entries.ts";
import { oneOf, seeded } from "../engine/random.ts";
import { parseYaml, store, TRUST_DOMAIN, worldOf } from "./worlds.ts";

const DB = serviceKey("shop/db");

const SERVICE = "{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {ports: [{port: 80}]}}";

function caller(override: string): string {
  return `{Kind: service-defaults, Name: web, UpstreamConfig: {Overrides: [${override}]}}`;
}

/** Applies one document; answers whether the mesh knows that `db` is touched. */
function apply(world: World, yaml: string): boolean {
  const [parsed] = parseYaml(yaml);
  if (parsed === undefined) throw new Error("one document, please");
  const resource = store(parsed, 0);
  const before = affected(world, resource);
  put(world, resource);
  return before.has(DB) || affected(world, resource).has(DB);
}

function trafficOf(world: World) {
  const unit = compileUnit(world, DB);
  return unit?.kind === "service" ? unit.traffic : undefined;
}

test("what a caller says of a service holds as long as the caller says it", () => {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  apply(world, SERVICE);
  expect(apply(world, caller("{Name: db, Limits: {MaxConnections: 5}}"))).toBe(true);
  expect(trafficOf(world)?.concurrency?.default).toEqual({
    maxRequests: 5,
    maxPending: 1024,
    maxRetries: null,
  });

  expect(apply(world, caller("{Name: other, Limits: {MaxConnections: 5}}"))).toBe(true);
  expect(trafficOf(world)?.concurrency).toBeUndefined();

  apply(world, caller("{Name: db, Limits: {MaxConnections: 6}}"));
  expect(trafficOf(world)?.concurrency?.default.maxRequests).toBe(6);
  const apiVersion = "consul.hashicorp.com/v1alpha1";
  remove(world, { apiVersion, kind: "ServiceDefaults", namespace: "shop", name: "web" });
  expect(trafficOf(world)?.concurrency).toBeUndefined();
});

test("what stands in follows the redirects of what it is", () => {
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  apply(world, SERVICE);
  apply(world, "{Kind: service-resolver, Name: db, Failover: {'*': {Service: spare}}}");
  expect(trafficOf(world)).toMatchObject({ failover: [{ service: "shop/spare" }], panicRatio: 0 });

  expect(apply(world, "{Kind: service-resolver, Name: spare, Redirect: {Service: last}}")).toBe(true);
  expect(trafficOf(world)?.failover).toEqual([{ service: "shop/last" }]);
});

/** Entries of service `from` that name service `to`: a resolver, or what a caller says. */
function naming(kind: "redirect" | "caller", from: string, to: string): string {
  return kind === "redirect"
    ? `{Kind: service-resolver, Name: ${from}, Redirect: {Service: ${to}}}`
    : `{Kind: service-defaults, Name: ${from}, UpstreamConfig: {Overrides: [{Name: ${to}}]}}`;
}

test.each([1, 2, 3])("links that were kept are those that are found (seed %d)", (seed) => {
  const random = seeded(seed);
  const names = ["a", "b", "c", "d"];
  const world = createWorld({ trustDomain: TRUST_DOMAIN });
  for (let change = 0; change < 200; change += 1) {
    const [parsed] = parseYaml(
      naming(random() < 0.5 ? "redirect" : "caller", oneOf(random, names), oneOf(random, names)),
    );
    if (parsed === undefined) throw new Error("one document, please");
    const resource = store(parsed, 0);
    const { apiVersion, kind, metadata } = resource;
    if (random() < 0.3)
      remove(world, { apiVersion, kind, namespace: metadata.namespace, name: metadata.name });
    else put(world, resource);

    const anew = createLinks();
    const entries = entriesIn(world.entries);
    for (const entry of world.entries.values()) link(anew, entries, entry.metadata);
    expect(world.links).toEqual(anew);
  }
});

test("thousands of entries are loaded in time: none looks at all others", () => {
  const list = Array.from(
    { length: 3_000 },
    (_, index) => `{Kind: service-resolver, Name: s${index}, ConnectTimeout: 5s}`,
  );
  const world = worldOf(list.join("\n---\n"));
  expect(world.derived.size).toBe(3_000);
});
