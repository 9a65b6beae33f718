import { expect, test } from "vitest";
import type { Authorization, AuthorizationRule } from "../../shared/engine/authorize.ts";
import { carry } from "../../shared/forward/carry.ts";
import { endpoint } from "../engine/endpoints.ts";
import { reception, setUp, ok, unavailable, get, codeOf } from "../fakes/loop.ts";
import { backend, directory, listener, PERMISSIVE, routeSet, service, virtualHost } from "../fakes/units.ts";

test("decides by an endpoint's policies once per call, and never asks another endpoint after a denial", async () => {
  const denying = { ...PERMISSIVE, authorization: { deny: [], allow: [] } };
  const endpoints = [endpoint("a", { inbound: 0 }), endpoint("b", { inbound: 1 })];
  const { kit, sent } = setUp(service("reviews", { endpoints, inbound: [PERMISSIVE, denying] }), [
    unavailable,
  ]);

  const replies = [
    await kit.run(carry(kit.mesh, get(), reception())),
    await kit.run(carry(kit.mesh, get(), reception())),
  ];

  expect(await Promise.all(replies.map(codeOf))).toEqual([
    [403, "authz.default_deny"],
    [403, "authz.default_deny"],
  ]);
  expect(sent.map(({ line }) => line.slice(0, 1)).filter((id) => id !== "a")).toEqual([]);
});

test("charges a rate limit once for a call that is tried three times", async () => {
  const limit = {
    policy: "shop/limit",
    mode: "strict",
    rate: { requests: 9, perMs: 1_000, burst: 9 },
    key: [],
    whenUnavailable: "deny",
  } as const;
  const { kit, sent } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, limits: [limit] }] }), [
    unavailable,
  ]);

  await kit.run(carry(kit.mesh, get(), reception()));

  expect([sent.length, kit.calls.takes.length]).toEqual([3, 1]);
});

test("refuses callers without an identity where the service asks for one", async () => {
  const { kit, sent } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, peer: "strict" }] }), [ok]);

  const response = await kit.run(carry(kit.mesh, get(), reception({ vouched: () => null })));

  expect(await codeOf(response)).toEqual([401, "authn.missing"]);
  expect(response.headers.get("www-authenticate")).toBe('Bearer realm="selvedge"');
  expect(sent).toEqual([]);
});

test("a policy that cannot be decided denies", async () => {
  const damaged = {
    ...PERMISSIVE,
    authorization: { deny: [{ policy: "x", rule: 0, from: null, to: [] } as never], allow: null },
  };
  const { kit, sent } = setUp(service("reviews", { inbound: [damaged] }), [ok]);

  const response = await kit.run(carry(kit.mesh, get(), reception()));

  expect(await codeOf(response)).toEqual([503, "authz.error"]);
  expect(sent).toEqual([]);
});

test("a host that does not enforce the inbound half leaves it to whoever does", async () => {
  const { kit } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, peer: "strict" }] }), [ok], {
    enforcesInbound: false,
  });

  const response = await kit.run(carry(kit.mesh, get(), reception({ vouched: () => null })));

  expect(response.status).toBe(200);
});

test("a gateway's policies decide about the client, the service's about the gateway", async () => {
  const door = listener("front");
  const onlyFront = ruleFor("mesh.test/ns/shop/sa/front");
  const inbound = [
    { ...PERMISSIVE, peer: "strict" as const, authorization: { deny: [], allow: [onlyFront] } },
  ];
  const deny = {
    policy: "shop/g",
    rule: 0,
    from: [],
    to: [{ paths: [{ kind: "prefix", value: "/admin" }] }],
  } as const;
  const more = {
    directory: directory({ listeners: [door] }),
    [`host:${door.id}#*`]: virtualHost(routeSet({ backends: [backend("reviews")] }), {
      deny: [deny],
      allow: null,
    }),
  };
  const { kit, sent } = setUp(service("reviews", { inbound }), [ok], { more });
  const visit = (path: string): Promise<Response> =>
    kit.run(
      carry(kit.mesh, get(path), reception({ vouched: () => null, goalOf: () => ({ kind: "gateway" }) })),
    );

  expect((await visit("/shop")).status).toBe(200);
  expect(await codeOf(await visit("/admin"))).toEqual([403, "authz.rule"]);
  expect(sent[0]?.headers.get("x-forwarded-client-cert")).toContain(
    "URI=spiffe://mesh.test/ns/shop/sa/front",
  );
});

test.each<[string, Authorization, number, string]>([
  [
    "for the gateway itself do not let in who comes through it",
    { deny: [], allow: [ruleFor("mesh.test/ns/shop/sa/front")] },
    403,
    "authz.default_deny",
  ],
  [
    "that cannot be decided deny",
    { deny: [{ ...ruleFor("x"), from: null as never }], allow: null },
    503,
    "authz.error",
  ],
])("a gateway's policies %s", async (_what, authorization, status, code) => {
  const door = listener("front");
  const more = {
    directory: directory({ listeners: [door] }),
    [`host:${door.id}#*`]: virtualHost(routeSet({ backends: [backend("reviews")] }), authorization),
  };
  const { kit } = setUp(service("reviews"), [ok], { more });

  const visit = reception({ vouched: () => null, goalOf: () => ({ kind: "gateway" }) });

  expect(await codeOf(await kit.run(carry(kit.mesh, get(), visit)))).toEqual([status, code]);
});

function ruleFor(principal: string): AuthorizationRule {
  return { policy: "shop/p", rule: 0, from: [{ principals: [{ kind: "exact", value: principal }] }], to: [] };
}
