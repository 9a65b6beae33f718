import { expect, test } from "vitest";
import type { Authorization, AuthorizationRule, Caller } from "../../shared/engine/authorize.ts";
import type { InboundPolicy } from "../../shared/engine/snapshot.ts";
import { carry } from "../../shared/forward/carry.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import { endpoint } from "../engine/endpoints.ts";
import { reception, setUp, ok, unavailable, get, codeOf, WEB } from "../fakes/loop.ts";
import { backend, directory, listener, PERMISSIVE, routeSet, service, virtualHost } from "../fakes/units.ts";
import { forge } from "../identity/forge.ts";

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

test.each<[string, Partial<InboundPolicy>, readonly ("token" | "props")[], string]>([
  ["a token alone", { peer: "strict" }, ["token"], "authn.token.unbound"],
  ["a token alone, though nobody need be known", {}, ["token"], "authn.token.unbound"],
  ["a token alone, where nobody looks who calls", { peer: "disabled" }, ["token"], "ok"],
  ["a token beside what the platform vouches for", { peer: "strict" }, ["token", "props"], "ok"],
  ["nobody", { peer: "strict" }, [], "authn.missing"],
  ["nobody, where nobody need be known", {}, [], "ok"],
])("where tokens are bound, %s", async (_what, policy, proofs, expected) => {
  const pair = await generateSigningKey();
  const inbound = [{ ...PERMISSIVE, ...policy, tokens: { isBound: true as const } }];
  const { kit, sent } = setUp(service("reviews", { inbound }), [ok], {
    more: { directory: directory({ keys: [pair.publicJwk] }) },
  });
  const token = await forge(pair, {}, { aud: "spiffe://mesh.test" });
  const headers = new Headers(proofs.includes("token") ? { "x-selvedge-peer": token } : {});
  const host = reception({ vouched: () => (proofs.includes("props") ? WEB : null), readsTokens: true });

  const response = await kit.run(carry(kit.mesh, new Request("http://reviews/", { headers }), host));

  expect(await response.text()).toContain(expected);
  expect(sent.length).toBe(expected === "ok" ? 1 : 0);
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

const FOR_ALL: AuthorizationRule = { policy: "shop/p", rule: 0, from: [], to: [] };

test("tells of calls that are audited, and of those that a dry run would deny; neither decides", async () => {
  const authorization: Authorization = {
    deny: [],
    allow: null,
    audit: [FOR_ALL],
    trial: { deny: [], allow: [] },
  };
  const { kit } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, authorization }] }), [ok]);

  expect((await kit.run(carry(kit.mesh, get("/a"), reception()))).status).toBe(200);

  const told = { source: WEB.principal, method: "GET", path: "/a" };
  expect(kit.lines).toMatchObject([
    { event: "authz.audit", policy: "shop/p[0]", ...told },
    { event: "authz.dry_run", policy: "default deny", ...told },
  ]);
  const { auditedCalls, trialDenials } = kit.mesh.state.meter.host;
  expect([auditedCalls, trialDenials]).toEqual([1, 1]);
});

test("a dry run that cannot be read, of a newer release, keeps nobody out", async () => {
  const newer: AuthorizationRule[] = JSON.parse(
    '[{"policy":"shop/p","rule":0,"from":[],"to":[{"paths":[{"kind":"newer","value":"/"}]}]}]',
  );
  const authorization: Authorization = { deny: [], allow: null, trial: { deny: newer, allow: null } };
  const { kit } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, authorization }] }), [ok]);

  expect((await kit.run(carry(kit.mesh, get("/a"), reception()))).status).toBe(200);
  expect(kit.lines.map(({ event }) => event)).toEqual(["authz.unwatched"]);
});

const ONLY_WEB: Authorization = { deny: [], allow: [ruleFor(WEB.principal)] };

test.each<[string, Partial<InboundPolicy>, Caller | null, unknown]>([
  ["strict, and nobody calls", { peer: "strict" }, null, [401, "authn.missing"]],
  ["strict at another port", { peerPorts: [{ port: 81, mode: "strict" }] }, null, 200],
  ["strict at its port", { peerPorts: [{ port: 80, mode: "strict" }] }, null, [401, "authn.missing"]],
  ["permissive at its port", { peer: "strict", peerPorts: [{ port: 80, mode: "permissive" }] }, null, 200],
  [
    "disabled: everybody is nobody",
    { peer: "disabled", authorization: ONLY_WEB },
    WEB,
    [403, "authz.default_deny"],
  ],
  ["permissive: somebody is somebody", { authorization: ONLY_WEB }, WEB, 200],
])("a workload is %s", async (_what, policy, caller, expected) => {
  const { kit } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, ...policy }] }), [ok]);
  const response = await kit.run(carry(kit.mesh, get(), reception({ vouched: () => caller })));
  expect(response.status === 200 ? 200 : await codeOf(response)).toEqual(expected);
});

const NONSENSE = [undefined, null, 7, "x", {}, [null], [{}]];

/** Policies with one part that is not what it should be. Whatever it is, nobody gets in. */
const DAMAGED = NONSENSE.flatMap((value): [string, object][] => [
  [`deny is ${JSON.stringify(value)}`, { authorization: { deny: value, allow: null } }],
  [`allow is ${JSON.stringify(value)}`, { authorization: { deny: [], allow: value } }],
  [`custom is ${JSON.stringify(value)}`, { authorization: { deny: [], allow: [], custom: value } }],
  [`users is ${JSON.stringify(value)}`, { authorization: { deny: [], allow: [] }, users: value }],
  [`authorization is ${JSON.stringify(value)}`, { authorization: value }],
  [`peer is ${JSON.stringify(value)}`, { peer: value }],
  [`peerPorts is ${JSON.stringify(value)}`, { peer: "strict", peerPorts: value }],
]);

test.each(DAMAGED.filter(([name]) => name !== "allow is null"))(
  "nobody gets in when %s",
  async (_what, damage) => {
    const inbound = [{ ...PERMISSIVE, ...damage } as InboundPolicy];
    const { kit, sent } = setUp(service("reviews", { inbound }), [ok]);

    const response = await kit.run(carry(kit.mesh, get(), reception({ vouched: () => null })));

    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(sent).toEqual([]);
  },
);

/** Parts of policies that only a newer release knows, where not to match would be to let in. */
const NEWER: Readonly<Record<string, object>> = {
  "a condition": { deny: [{ ...FOR_ALL, when: [{ kind: "weather", values: ["fair"] }] }], allow: null },
  "a match of paths": {
    deny: [{ ...FOR_ALL, to: [{ paths: [{ kind: "sounds-like", value: "/a" }] }] }],
    allow: null,
  },
  "a match of principals": {
    deny: [{ ...FOR_ALL, from: [{ principals: [{ kind: "sounds-like", value: "web" }] }] }],
    allow: null,
  },
  "a match that lets in what it does not match": {
    deny: [],
    allow: [{ ...FOR_ALL, to: [{ notPaths: [{ kind: "sounds-like", value: "/a" }] }] }],
  },
  "an intention's source": {
    deny: [],
    allow: null,
    intentions: [{ policy: "shop/i", rule: 0, source: { kind: "planet" }, permissions: [] }],
  },
  "an intention's condition": {
    deny: [],
    allow: null,
    intentions: [
      {
        policy: "shop/i",
        rule: 0,
        source: { kind: "anyone" },
        permissions: [
          {
            action: "deny",
            path: null,
            methods: [],
            headers: [
              { name: "x-a", kind: "sounds-like", value: "a", ignoresCase: false, isInverted: false },
            ],
          },
        ],
      },
    ],
  },
};

test.each(Object.entries(NEWER))(
  "nobody gets in by %s that this release does not know",
  async (_what, authorization) => {
    const inbound = [{ ...PERMISSIVE, authorization } as InboundPolicy];
    const { kit, sent } = setUp(service("reviews", { inbound }), [ok]);
    const request = new Request("http://reviews/", { headers: { "x-a": "a" } });

    expect((await kit.run(carry(kit.mesh, request, reception()))).status).toBeGreaterThanOrEqual(400);
    expect(sent).toEqual([]);
  },
);

test("nobody gets in when an input cannot be read", async () => {
  const inbound = [
    {
      ...PERMISSIVE,
      authorization: {
        deny: [],
        allow: [{ ...FOR_ALL, when: [{ kind: "header", name: "x y", values: [] }] }],
      },
    },
  ] as const;
  const { kit, sent } = setUp(service("reviews", { inbound }), [ok]);
  expect(await codeOf(await kit.run(carry(kit.mesh, get(), reception())))).toEqual([503, "authz.error"]);
  expect(sent).toEqual([]);
});
