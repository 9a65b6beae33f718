import { beforeAll, expect, test } from "vitest";
import { receive } from "../../shared/forward/receive.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import type { KeyPair } from "../../shared/identity/key.ts";
import type { RateLimit } from "../../shared/engine/limit.ts";
import type { OverloadPolicy } from "../../shared/engine/overload.ts";
import type { InboundPolicy, Unit } from "../../shared/engine/snapshot.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { directory, PERMISSIVE, workload } from "../fakes/units.ts";
import { encode, forge } from "../identity/forge.ts";

const STRICT: InboundPolicy = { ...PERMISSIVE, peer: "strict" };
const BOUND: InboundPolicy = { ...PERMISSIVE, tokens: { isBound: true } };
const CLOSED: InboundPolicy = { ...PERMISSIVE, authorization: { deny: [], allow: [] } };
const CERTIFICATE = "By=spiffe://mesh.test/ns/shop/sa/reviews;URI=spiffe://mesh.test/ns/shop/sa/web";

let pair: KeyPair;
let token: string;
let admitted: string;
let forEdge: string;
let bound: string;

beforeAll(async () => {
  pair = await generateSigningKey();
  token = await forge(pair, {}, {});
  forEdge = await forge(pair, {}, { aud: "spiffe://mesh.test" });
  bound = await forge(pair, {}, { cnf: { "x5t#S256": encode(new Uint8Array(32)) } });
  admitted = await forge(pair, {}, { jti: "t-2", "selvedge.dev/admitted": true });
});

function kitWith(inbound: InboundPolicy): MeshKit {
  const units: Record<string, Unit> = {
    directory: directory({ keys: [pair.publicJwk] }),
    "workload:shop/reviews-v1": workload(inbound),
  };
  return meshKit({ units });
}

async function received(
  kit: MeshKit,
  fields: Readonly<Record<string, string>>,
  url = "http://reviews/",
): Promise<unknown> {
  const request = new Request(url, { headers: fields });
  const outcome = await kit.run(receive(kit.mesh, request, "shop/reviews-v1"));
  if (outcome instanceof Response) return ((await outcome.json()) as { code: string }).code;
  const owned = Object.fromEntries([...outcome.request.headers].filter(([name]) => name.includes("c")));
  return { caller: outcome.caller?.principal ?? null, isSame: outcome.request === request, owned };
}

test("lets a proven caller in, with the request as it came", async () => {
  const fields = { "x-selvedge-peer": token, "x-forwarded-client-cert": CERTIFICATE };

  expect(await received(kitWith(STRICT), fields)).toMatchObject({
    caller: "mesh.test/ns/shop/sa/web",
    isSame: true,
  });
});

test.each<[string, InboundPolicy, () => Readonly<Record<string, string>>, string]>([
  ["an unknown caller where one must be known", STRICT, () => ({}), "authn.missing"],
  ["a token that is none", PERMISSIVE, () => ({ "x-selvedge-peer": "x" }), "authn.token.invalid"],
  ["a token that is for the edge", PERMISSIVE, () => ({ "x-selvedge-peer": forEdge }), "authn.token.invalid"],
  [
    "a bearer token that claims that the edge has admitted the call",
    CLOSED,
    () => ({ authorization: `Bearer ${admitted}` }),
    "authz.default_deny",
  ],
  [
    "a token alone, where tokens are bound",
    BOUND,
    () => ({ "x-selvedge-peer": token }),
    "authn.token.unbound",
  ],
  ["a token that is bound", PERMISSIVE, () => ({ "x-selvedge-peer": bound }), "authn.token.unbound"],
  ["a caller whom no policy allows", CLOSED, () => ({ "x-selvedge-peer": token }), "authz.default_deny"],
])("refuses %s", async (_what, inbound, fields, code) => {
  expect(await received(kitWith(inbound), fields())).toBe(code);
});

test("takes the edge's word where tokens are bound: it has seen the certificate", async () => {
  expect(await received(kitWith(BOUND), { "x-selvedge-peer": admitted })).toMatchObject({
    caller: "mesh.test/ns/shop/sa/web",
  });
});

test("does not decide again what the edge has decided", async () => {
  expect(await received(kitWith(CLOSED), { "x-selvedge-peer": admitted })).toMatchObject({
    caller: "mesh.test/ns/shop/sa/web",
    isSame: true,
  });
});

test("removes what an unknown caller says about itself", async () => {
  const fields = { "x-forwarded-client-cert": CERTIFICATE, "client-cert": "x", "x-custom": "kept" };

  expect(await received(kitWith(PERMISSIVE), fields)).toEqual({
    caller: null,
    isSame: false,
    owned: { "x-custom": "kept" },
  });
});

test("removes what a known caller says in another's name", async () => {
  const forged = CERTIFICATE.replace("sa/web", "sa/admin");

  expect(
    await received(kitWith(PERMISSIVE), { "x-selvedge-peer": token, "x-forwarded-client-cert": forged }),
  ).toEqual({
    caller: "mesh.test/ns/shop/sa/web",
    isSame: false,
    owned: { "x-forwarded-client-cert": CERTIFICATE },
  });
});

test("refuses everything without the workload's policies", async () => {
  const kit = meshKit({ units: { directory: directory({ keys: [pair.publicJwk] }) } });

  expect(await received(kit, { "x-selvedge-peer": token })).toBe("control.unavailable");
});

test("keeps deciding by the last policies while the registry is out of reach", async () => {
  const kit = kitWith(STRICT);
  await received(kit, {});
  kit.control.sync = () => Promise.reject(new Error("down"));
  await kit.advance(60_000);

  expect(await received(kit, {})).toBe("authn.missing");
});

const OVERLOAD: OverloadPolicy = {
  minConcurrency: 1,
  maxConcurrency: 1,
  updateEveryMs: 100,
  measureEveryMs: 60_000,
  measureCalls: 50,
  buffer: 0.25,
  percentile: 50,
};

test.each([
  ["a call that it decides about", () => token],
  ["a call that the edge has admitted", () => admitted],
])("sheds %s when the workload has as many as it can work on", async (_what, own) => {
  const kit = kitWith({ ...PERMISSIVE, overload: OVERLOAD });
  const receiveOne = () =>
    kit.run(
      receive(
        kit.mesh,
        new Request("http://reviews/", { headers: { "x-selvedge-peer": own() } }),
        "shop/reviews-v1",
      ),
    );
  const first = await receiveOne();
  const shed = await receiveOne();
  if (!(first instanceof Response)) first.end?.();
  const third = await receiveOne();

  expect([first, shed, third].map((each) => (each instanceof Response ? each.status : each.kind))).toEqual([
    "welcome",
    503,
    "welcome",
  ]);
  expect(
    shed instanceof Response && [shed.headers.get("retry-after"), shed.headers.get("proxy-status")],
  ).toEqual(["1", 'selvedge; error=connection_limit_reached; details="overload.shed"']);
});

test.each<[string, () => Readonly<Record<string, string>>, string | null]>([
  ["high, of a proven caller", () => ({ "x-selvedge-peer": token, "x-selvedge-priority": "high" }), "high"],
  ["high, of nobody in particular", () => ({ "x-selvedge-priority": "high" }), null],
  ["low, of nobody in particular", () => ({ "x-selvedge-priority": "low" }), "low"],
  ["what is no priority", () => ({ "x-selvedge-peer": token, "x-selvedge-priority": "urgent" }), null],
])("the priority that the workload inherits: %s", async (_what, fields, expected) => {
  const kit = kitWith(PERMISSIVE);
  const request = new Request("http://reviews/", { headers: fields() });
  const outcome = await kit.run(receive(kit.mesh, request, "shop/reviews-v1"));
  expect(outcome instanceof Response ? null : outcome.request.headers.get("x-selvedge-priority")).toBe(
    expected,
  );
});

test.each([
  ["before it came", "0"],
  ["while its policies were loaded", "100"],
])("refuses a call whose time has run out %s", async (_when, deadline) => {
  const kit = kitWith(PERMISSIVE);
  const { sync } = kit.control;
  kit.control.sync = async (request) => {
    await kit.mesh.ports.sleep(100);
    return sync(request);
  };
  const fields = { "x-selvedge-peer": admitted, "x-selvedge-deadline-ms": deadline };
  expect(await received(kit, fields)).toBe("upstream.timeout");
});

test("a token of the mesh says who calls, and is no end user's", async () => {
  const users = [
    {
      issuer: "issuer",
      audiences: [],
      keys: { kind: "inline", keys: [] },
      places: [{ kind: "header", name: "authorization", prefix: "Bearer " }],
      isForwarded: false,
      claimHeaders: [],
      spaced: [],
    },
  ] as const;
  const kit = kitWith({ ...STRICT, users });

  expect(await received(kit, { authorization: `Bearer ${token}` })).toMatchObject({
    caller: "mesh.test/ns/shop/sa/web",
  });
  expect(await received(kit, { "x-selvedge-peer": token, authorization: "Bearer a.b.c" })).toBe(
    "authn.token.invalid",
  );
});

test.each<[string, () => Readonly<Record<string, string>>]>([
  ["an unknown caller", () => ({})],
  ["a known caller", () => ({ "x-selvedge-peer": token })],
])("a policy does not read what %s says in the mesh's name", async (_who, proof) => {
  const forged = CERTIFICATE.replace("sa/web", "sa/admin");
  const values = [{ kind: "exact", value: forged }] as const;
  const when = [{ kind: "header", name: "x-forwarded-client-cert", values }] as const;
  const rule = { policy: "shop/p", rule: 0, from: [], to: [], when };
  const kit = kitWith({ ...PERMISSIVE, authorization: { deny: [], allow: [rule] } });

  expect(await received(kit, { ...proof(), "x-forwarded-client-cert": forged })).toBe("authz.default_deny");
});

test.each<[url: string, mode: "strict" | "permissive", expected: unknown]>([
  ["http://reviews:9000/", "permissive", "let in"],
  ["http://reviews/", "permissive", "authn.missing"],
  ["http://reviews:9000/", "strict", "authn.missing"],
  // It has none of these: the first is meant.
  ["http://reviews:7/", "permissive", "authn.missing"],
  ["https://reviews/", "permissive", "authn.missing"],
])("an unknown caller at %s, where 9000 is %s: %s", async (url, mode, expected) => {
  const inbound: InboundPolicy = {
    ...STRICT,
    peerPorts: [
      { port: 9000, mode },
      { port: 7, mode: "permissive" },
    ],
  };
  const kit = meshKit({
    units: {
      directory: directory({ keys: [pair.publicJwk] }),
      "workload:shop/reviews-v1": { ...workload(inbound), ports: [80, 9000] },
    },
  });
  const outcome = await received(kit, {}, url);

  expect(typeof outcome === "string" ? outcome : "let in").toBe(expected);
});

test("an unknown caller does not choose whose limit it uses up", async () => {
  const limit: RateLimit = {
    policy: "shop/l[0]",
    mode: "local",
    rate: { requests: 1, perMs: 60_000, burst: 1 },
    key: [{ kind: "remote-address" }],
    whenUnavailable: "deny",
  };
  const kit = kitWith({ ...PERMISSIVE, limits: [limit] });
  const one = { "cf-connecting-ip": "192.0.2.1" };
  await received(kit, { ...one, "x-forwarded-for": "198.51.100.1" });

  expect(await received(kit, { ...one, "x-forwarded-for": "198.51.100.2" })).toBe("ratelimit.exceeded");
});
