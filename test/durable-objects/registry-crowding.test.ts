/** What one owner of a namespace cannot do to the registry, and to the units that others share with it. */
import { reset } from "cloudflare:test";
import { afterEach, expect, test, vi } from "vitest";
import { MAX_UNIT_BYTES } from "../../shared/compile/unit-size.ts";
import type { Problem } from "../../shared/wire/problem.ts";
import { apply, everything, exec, registry, valueOf } from "./registry-kit.ts";

// Megabytes of documents, on a machine that may have other work.
vi.setConfig({ testTimeout: 30_000 });

afterEach(reset);

const GATEWAY_API = "gateway.networking.k8s.io/v1";
const OWNER = { namespaces: ["rival"] };

/** The longest label of a host name. */
const LABEL = "h".repeat(63);

function document(kind: string, [namespace, name]: readonly [string, string], spec: object, labels = {}) {
  const versions: Readonly<Record<string, string>> = {
    Service: "v1",
    Endpoint: "selvedge.dev/v1",
    AuthorizationPolicy: "security.istio.io/v1",
  };
  return { apiVersion: versions[kind] ?? GATEWAY_API, kind, metadata: { name, namespace, labels }, spec };
}

function gateway(namespace: string, hostnames: readonly string[], from = "Same") {
  const allowedRoutes = { namespaces: { from } };
  return document("Gateway", [namespace, "front"], {
    gatewayClassName: "selvedge",
    listeners: hostnames.map((hostname, index) => ({
      name: `l${index}`,
      port: 80,
      protocol: "HTTP",
      hostname,
      allowedRoutes,
    })),
  });
}

/** Routes of the owner, each as large as Gateway API lets it be. */
function routes(count: number, parent: object, hostsOf: (index: number) => readonly string[] = () => []) {
  const matches = [0, 1, 2].map((at) => ({ headers: [{ name: `x-${at}`, value: "v".repeat(1_000) }] }));
  return Array.from({ length: count }, (_, index) =>
    document("HTTPRoute", ["rival", `r${index}`], {
      parentRefs: [parent],
      hostnames: hostsOf(index),
      rules: Array.from({ length: 16 }, () => ({ matches, backendRefs: [{ name: "x", port: 80 }] })),
    }),
  );
}

/** The paths of what is refused. */
function pathsOf(outcome: { readonly ok: true } | { readonly ok: false; readonly problem: Problem }) {
  return outcome.ok ? [] : (outcome.problem.fields ?? []).map(({ path }) => path);
}

const REVIEWS = { group: "", kind: "Service", name: "reviews", namespace: "shop" };
const FRONT = { name: "front", namespace: "shop" };
const manyHosts = (index: number) =>
  Array.from({ length: 16 }, (_, at) => `${LABEL}.${LABEL}.${LABEL}.n${index}-${at}.shop.test`);

test.each<[string, readonly object[], readonly string[]]>([
  ["as many routes at another's service as fit", routes(2, REVIEWS), []],
  ["more routes at another's service", routes(4, REVIEWS), ["service:shop/reviews"]],
  ["as many rules for another's host as fit", routes(2, FRONT, () => ["a.shop.test"]), []],
  [
    "more rules for another's host",
    routes(4, FRONT, () => ["a.shop.test"]),
    ["host:shop/front/l0#a.shop.test"],
  ],
  [
    "more hosts at another's gateway than one may have",
    routes(50, FRONT, manyHosts).map((route) => ({ ...route, spec: { ...route.spec, rules: [{}] } })),
    ["directory"],
  ],
  [
    "more listeners than one may have",
    Array.from({ length: 10 }, (_, set) => ({
      ...gateway(
        "rival",
        Array.from({ length: 64 }, (__, at) => `${LABEL}.${LABEL}.${LABEL}.n${set}-${at}.test`),
      ),
      metadata: { name: `g${set}`, namespace: "rival" },
    })),
    ["directory"],
  ],
])("an owner makes %s", async (_, documents, expected) => {
  valueOf(await apply([document("Service", ["shop", "reviews"], { ports: [{ port: 80 }] })]));
  valueOf(await apply([gateway("shop", ["*.shop.test"], "All")]));
  expect(pathsOf(await apply(documents, { ...OWNER, dryRun: true }))).toEqual(expected);
  // Whoever owns the mesh may.
  expect(pathsOf(await apply(documents, { dryRun: true }))).toEqual([]);
});

test("the hosts of an owner's own ListenerSet have room for its routes, at whosever gateway", async () => {
  const own = document("ListenerSet", ["rival", "set"], {
    parentRef: FRONT,
    listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname: "own.test" }],
  });
  const invited = gateway("shop", ["*.shop.test"]);
  const allowedListeners = { namespaces: { from: "All" } };
  valueOf(await apply([{ ...invited, spec: { ...invited.spec, allowedListeners } }, own]));
  const set = { group: "gateway.networking.k8s.io", kind: "ListenerSet", name: "set" };
  valueOf(
    await apply(
      routes(5, set, () => ["own.test"]),
      OWNER,
    ),
  );
  const [unit] = await exec(
    "SELECT length(body) AS bytes FROM units WHERE key LIKE 'host:shop/front/rival/set/%'",
  );
  expect(Number(unit?.["bytes"])).toBeGreaterThan(150_000);
});

test("an owner that an admin let have more than its share can give some back, and take no more", async () => {
  valueOf(await apply([document("Service", ["shop", "reviews"], { ports: [{ port: 80 }] })]));
  valueOf(await apply(routes(5, REVIEWS)));
  const [first = {}] = routes(1, REVIEWS);
  const one = {
    ...first,
    spec: { parentRefs: [REVIEWS], rules: [{ backendRefs: [{ name: "x", port: 80 }] }] },
  };
  expect(pathsOf(await apply(routes(6, REVIEWS), OWNER))).toEqual(["service:shop/reviews"]);
  valueOf(await apply([one], OWNER));
});

test("policies times endpoints that would take the registry's memory are refused, and it goes on", async () => {
  const policies = Array.from({ length: 60 }, (_, index) =>
    document("AuthorizationPolicy", ["rival", `p${index}`], {
      rules: Array.from({ length: 10 }, (__, rule) => ({
        to: [{ operation: { paths: Array.from({ length: 40 }, (___, at) => `/${index}/${rule}/${at}`) } }],
      })),
    }),
  );
  const endpoints = Array.from({ length: 300 }, (_, index) =>
    document("Endpoint", ["rival", `e${index}`], { address: `https://e${index}.example` }, { app: "bomb" }),
  );
  const bomb = document("Service", ["rival", "bomb"], { selector: { app: "bomb" }, ports: [{ port: 80 }] });
  const before = await everything();
  const refused = pathsOf(await apply([bomb, ...endpoints, ...policies], OWNER));
  expect(refused).toEqual(["documents", "Namespace rival"]);
  expect(await everything()).toEqual(before);

  // Little by little they come no further.
  valueOf(await apply([bomb, ...endpoints], OWNER));
  const half = await apply(policies.slice(0, 30), OWNER);
  expect(pathsOf(half)).toEqual(["documents", "Namespace rival"]);
  valueOf(await apply(policies.slice(0, 1), OWNER));
  // Nor in parts that are small enough for one change.
  const parts = policies.slice(0, 5);
  expect(pathsOf(await apply(parts, { ...OWNER, dryRun: true }))).toEqual(["Namespace rival"]);
  valueOf(await apply(parts));
  // What an admin let it have can still be less.
  expect(pathsOf(await apply(policies.slice(5, 6), OWNER))).toEqual(["Namespace rival"]);
  const [first] = parts;
  valueOf(await apply([{ ...first, spec: { rules: [] } }], OWNER));
});

const hosts = (set: number) =>
  Array.from({ length: 64 }, (_, at) => `${LABEL}.${LABEL}.${LABEL}.n${set}-${at}.full.test`);

/** Gateways of the mesh's own, with 64 long hosts each. */
const gateways = (count: number) =>
  Array.from({ length: count }, (_, set) => ({
    ...gateway("shop", hosts(set)),
    metadata: { name: `full${set}`, namespace: "shop" },
  }));

test("a full directory keeps room for revocations", async () => {
  expect(pathsOf(await apply(gateways(70)))).toEqual(["directory"]);
  valueOf(await apply(gateways(60)));
  const [row] = await exec("SELECT length(body) AS bytes FROM units WHERE key = 'directory'");
  expect(Number(row?.["bytes"])).toBeLessThan(MAX_UNIT_BYTES - 300_000);
});

test("what the authority has published takes nothing from the directory's configuration", async () => {
  const ids = Array.from({ length: 4_000 }, (_, index) => `${"a".repeat(36)}${index}`);
  valueOf(await apply(gateways(60)));
  const trust = { keys: [], roots: [], revoked: { ids, identities: [] } };
  await registry().publishTrust({ sequence: 1, ...trust });
  valueOf(await apply([gateway("shop", ["one-more.test"])]));
});

/** Resources that compile to nothing, of some 200 kB each. */
function ballast(namespace: string, name: string) {
  const note = document("Service", [namespace, name], { ports: [{ port: 80 }] });
  return { ...note, metadata: { ...note.metadata, annotations: { note: "n".repeat(200_000) } } };
}

const load = (namespace: string, batch: number) =>
  Array.from({ length: 30 }, (_, index) => ballast(namespace, `b${batch}-${index}`));

test("a namespace of an owner, and the whole mesh, hold no more than the registry can load", async () => {
  valueOf(await apply(load("rival", 0), OWNER));
  expect(pathsOf(await apply(load("rival", 1), OWNER))).toEqual(["Namespace rival"]);
  for (let batch = 0; batch < 5; batch += 1) valueOf(await apply(load("shop", batch)));
  expect(pathsOf(await apply(load("shop", 5)))).toEqual(["documents"]);
  // What is there may change, and become less.
  const [first = {}] = load("shop", 0);
  valueOf(await apply([{ ...first, metadata: { name: "b0-0", namespace: "shop" } }]));
});

/** A VirtualService that becomes 8,000 matches: those of 32 rules at each of 16 ports. */
function manyPorts(name: string) {
  const route = [{ destination: { host: "web" } }];
  const free = { match: Array.from({ length: 15 }, () => ({ uri: { prefix: "/a" } })), route };
  const ports = Array.from({ length: 15 }, (_, port) => ({ port: port + 1 }));
  const http = [{ match: ports, route }, ...Array.from({ length: 32 }, () => free)];
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name, namespace: "rival" },
    spec: { hosts: ["web"], http },
  };
}

test("documents of another mesh that become too much together are refused", async () => {
  const many = Array.from({ length: 24 }, (_, index) => manyPorts(`v${index}`));
  expect(pathsOf(await apply(many.slice(0, 2), { ...OWNER, dryRun: true }))).toEqual([]);
  expect(pathsOf(await apply(many, { ...OWNER, dryRun: true }))).toEqual(["documents"]);
});

const told = async () => {
  const rows = await exec("SELECT count(*) AS services FROM published WHERE service LIKE 'swarm/%'");
  return rows[0]?.["services"];
};

test("services that nobody configured do not fill the registry with what registers", async () => {
  const endpoints = Array.from({ length: 1_000 }, (_, index) => ({
    id: `e${index}`,
    address: "https://a.example",
    labels: {},
    weight: 1,
    health: "healthy" as const,
    serviceAccount: null,
    isJoined: false,
  }));
  const publish = (name: string, sequence: number, list = endpoints) =>
    registry().publishEndpoints({ service: `swarm/${name}`, sequence, endpoints: list });
  for (let index = 0; index < 20; index += 1) await publish(`s${index}`, 1);
  await publish("s20", 1);
  expect(await told()).toBe(20);
  // Of what may not register more, it still counts what became of those that are there.
  const checked = [{ id: "e0", health: "unhealthy" as const, since: 1 }];
  await registry().publishEndpoints({ service: "swarm/s20", sequence: 2, endpoints, checked });
  expect(await exec("SELECT topic FROM published WHERE service = 'swarm/s20'")).toEqual([
    { topic: "checks" },
  ]);
  await exec("DELETE FROM published WHERE service = 'swarm/s20'");
  // Where others have left there is room again.
  await publish("s0", 2, []);
  await publish("s20", 2);
  expect(await told()).toBe(21);
});
