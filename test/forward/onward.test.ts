import { expect, test } from "vitest";
import { generateSigningKey } from "../../shared/identity/key.ts";
import { carry } from "../../shared/forward/carry.ts";
import { reception, setUp, ok, never, get } from "../fakes/loop.ts";
import { backend, directory, routeSet, service } from "../fakes/units.ts";
import { forge } from "../identity/forge.ts";

test("says to the callee what only the mesh may say", async () => {
  const { kit, sent } = setUp(service("reviews"), [ok]);
  const headers = {
    "x-selvedge-peer": "forged",
    "x-selvedge-hops": "2",
    "x-forwarded-client-cert": "forged",
    "client-cert": "forged",
    connection: "x-private, close",
    "x-private": "1",
    te: "trailers",
    traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "x-request-id": "given",
    authorization: "Bearer end-user",
  };

  await kit.run(carry(kit.mesh, new Request("http://reviews/", { headers }), reception()));

  expect(Object.fromEntries(sent[0]?.headers ?? [])).toEqual({
    authorization: "Bearer end-user",
    traceparent: expect.stringMatching(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/),
    "x-forwarded-client-cert":
      "By=spiffe://mesh.test/ns/shop/sa/default;URI=spiffe://mesh.test/ns/shop/sa/web",
    "x-request-id": "given",
    "x-selvedge-hops": "3",
    "x-selvedge-peer": "token-1",
    "x-selvedge-retry": "owned",
  });
});

test("a request id that is not fit for a log is replaced", async () => {
  const { kit, sent } = setUp(service("reviews"), [ok]);
  const headers = { "x-request-id": 'a" injected="1' };

  await kit.run(carry(kit.mesh, new Request("http://reviews/", { headers }), reception()));

  expect(sent[0]?.headers.get("x-request-id")).toMatch(/^[0-9a-f]{32}$/);
});

test("what a client outside says about earlier hops is dropped, and told by the edge instead", async () => {
  const { kit, sent } = setUp(service("reviews"), [ok]);
  const headers = {
    "x-forwarded-for": "6.6.6.6",
    forwarded: "for=6.6.6.6",
    "x-real-ip": "6.6.6.6",
    "cf-connecting-ip": "1.2.3.4",
  };

  await kit.run(
    carry(kit.mesh, new Request("http://reviews/", { headers }), reception({ isFromOutside: true })),
  );

  const told = Object.fromEntries(
    [...(sent[0]?.headers ?? [])].filter(([name]) => /forwarded-|^forwarded|real/.test(name)),
  );
  expect(told).toEqual({
    "x-forwarded-client-cert": expect.any(String),
    "x-forwarded-for": "1.2.3.4",
    "x-forwarded-host": "reviews",
    "x-forwarded-proto": "http",
  });
});

test("a route's filters cannot say what only the mesh may say", async () => {
  const request = {
    set: [
      ["x-selvedge-peer", "forged"],
      ["x-forwarded-client-cert", "forged"],
    ],
    add: [],
    remove: ["x-selvedge-hops"],
  } as const;
  const routes = [
    {
      port: null,
      consumerNamespace: null,
      routes: routeSet({ backends: [backend("reviews")], filters: { request } }),
    },
  ];
  const { kit, sent } = setUp(service("reviews", { routes }), [ok], {
    way: { origin: "http://10.0.0.1", carriesToken: false },
  });

  await kit.run(carry(kit.mesh, get("/a?b"), reception({ vouched: () => null })));

  expect(sent[0]?.line).toBe("a GET http://10.0.0.1/a?b");
  expect(sent[0]?.headers.get("x-selvedge-peer")).toBeNull();
  expect(sent[0]?.headers.get("x-forwarded-client-cert")).toBeNull();
  expect(sent[0]?.headers.get("x-selvedge-hops")).toBe("1");
});

test("goes without a token when none can be had, and does not wait for ever", async () => {
  const { kit, sent } = setUp(service("reviews"), [ok]);
  kit.control.token = never as never;
  const before = kit.now();

  await kit.run(carry(kit.mesh, get(), reception()));
  await kit.run(carry(kit.mesh, get(), reception()));

  expect(sent.map(({ headers }) => headers.get("x-selvedge-peer"))).toEqual([null, null]);
  expect(kit.now() - before).toBeLessThan(1_500);
});

test("a token that the way would not keep secret is not even asked for", async () => {
  const { kit, sent } = setUp(service("reviews"), [ok], {
    way: { origin: "http://10.0.0.1", carriesToken: false },
  });

  await kit.run(carry(kit.mesh, get(), reception()));

  expect([sent[0]?.headers.get("x-selvedge-peer"), kit.calls.tokens]).toEqual([null, []]);
  expect(sent[0]?.headers.get("x-forwarded-client-cert")).toContain("sa/web");
});

test("a bearer token for the mesh goes no further than the mesh", async () => {
  const pair = await generateSigningKey();
  const more = { directory: directory({ keys: [pair.publicJwk] }) };
  const { kit, sent } = setUp(service("reviews"), [ok], { more });
  const authorization = `Bearer ${await forge(pair, {}, { aud: "spiffe://mesh.test" })}`;

  const request = new Request("http://reviews/", { headers: { authorization } });
  await kit.run(carry(kit.mesh, request, reception({ readsTokens: true, vouched: () => null })));

  expect(sent[0]?.headers.get("authorization")).toBeNull();
  expect(sent[0]?.headers.get("x-forwarded-client-cert")).toContain("sa/web");
});
