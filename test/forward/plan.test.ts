import { expect, test } from "vitest";
import { callerOf } from "../../shared/identity/spiffe.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { reception, setUp, ok, get, codeOf } from "../fakes/loop.ts";
import { backend, routeSet, service, TRUST_DOMAIN } from "../fakes/units.ts";

function to(name: string): ReturnType<typeof routeSet> {
  return routeSet({ backends: [backend(name)] });
}

test.each<[string, string | null, string]>([
  ["its own namespace's route for consumers there", "shop", "b GET http://reviews/"],
  ["the producer's route for everybody else", "other", "a GET http://reviews/"],
  ["the producer's route for unknown callers", null, "a GET http://reviews/"],
])("follows %s", async (_what, namespace, line) => {
  const routes = [
    { port: null, consumerNamespace: "shop", routes: to("two") },
    { port: null, consumerNamespace: null, routes: to("one") },
  ];
  const more = {
    "service:shop/one": service("one"),
    "service:shop/two": service("two", { endpoints: [endpoint("b")] }),
  };
  const { kit, sent } = setUp(service("reviews", { routes }), [ok], { more });
  const caller =
    namespace === null ? null : callerOf({ trustDomain: TRUST_DOMAIN, namespace, serviceAccount: "x" });

  await kit.run(carry(kit.mesh, get(), reception({ vouched: () => caller })));

  expect(sent.map((each) => each.line)).toEqual([line]);
});

test("does not route a backend again, so that a service may split its own calls", async () => {
  const routes = [
    { port: null, consumerNamespace: null, routes: routeSet({ backends: [backend("reviews")] }) },
  ];
  const { kit, sent } = setUp(service("reviews", { routes }), [ok]);

  await kit.run(carry(kit.mesh, get(), reception()));

  expect(sent.length).toBe(1);
});

test.each<[string, Parameters<typeof routeSet>[0], number, string]>([
  ["no backend", { backends: [] }, 500, "backend.none"],
  ["only weight 0", { backends: [backend("one", { weight: 0 })] }, 500, "backend.none"],
  [
    "a backend that is not granted",
    { backends: [backend("one", { invalid: "backend.forbidden" })] },
    500,
    "backend.forbidden",
  ],
  ["a backend that does not exist", { backends: [backend("nobody")] }, 500, "backend.missing"],
])("answers for a route with %s", async (_what, action, status, code) => {
  const routes = [{ port: null, consumerNamespace: null, routes: routeSet(action) }];
  const { kit } = setUp(service("reviews", { routes }), [ok]);

  expect(await codeOf(await kit.run(carry(kit.mesh, get(), reception())))).toEqual([status, code]);
});

test("changes the response only where a route says so, and passes the service's own through otherwise", async () => {
  const original = new Response("ok", { headers: { "x-internal": "1" } });
  const { kit } = setUp(service("reviews"), [() => original]);

  expect(await kit.run(carry(kit.mesh, get(), reception()))).toBe(original);
});

test.each<[path: string, matched: string, value: string, expected: string]>([
  ["/api/x", "/api", "/v2/", "200 /v2/x"],
  ["/api.well-known/x", "/api", "/v2/", "200 /v2/.well-known/x"],
  ["/api.../x", "/api", "/v2/", "200 /v2/.../x"],
  // Each would be sent as another path than policies decide about.
  ["/api../admin", "/api", "/v2/", "400 path.noncanonical"],
  ["/api./admin", "/api", "/v2/", "400 path.noncanonical"],
  ["/api..", "/api", "/v2/", "400 path.noncanonical"],
  ["/api../admin", "/api", "/", "400 path.noncanonical"],
  ["/api..%3Bx/admin", "/api", "/v2/", "400 path.noncanonical"],
  ["/api%3Bx/admin", "/api", "/v2/", "400 path.noncanonical"],
  ["/api%3Bx/admin", "/api", "/v2", "200 /v2%3Bx/admin"],
])("%s with the text %s replaced by %s: %s", async (path, matched, value, expected) => {
  const set = routeSet({
    backends: [backend("one", { filters: { rewrite: { path: { kind: "prefix", value } } } })],
  });
  const entries = set.entries.map((entry) => ({
    ...entry,
    path: { kind: "text-prefix", value: matched } as const,
  }));
  const routes = [{ port: null, consumerNamespace: null, routes: { ...set, entries } }];
  const { kit, sent } = setUp(service("reviews", { routes }), [ok], {
    more: { "service:shop/one": service("one") },
  });
  const response = await kit.run(carry(kit.mesh, get(path), reception()));

  const [first] = sent;
  const told =
    first === undefined
      ? String(await codeOf(response)).replace(",", " ")
      : `200 ${new URL(first.line.split(" ")[2] ?? "").pathname}`;
  expect(told).toBe(expected);
});
