import { beforeAll, describe, expect, test } from "vitest";
import { callerOf } from "../../shared/identity/spiffe.ts";
import { generateSigningKey } from "../../shared/identity/key.ts";
import type { KeyPair } from "../../shared/identity/key.ts";
import { identify } from "../../shared/forward/identify.ts";
import type { Credentials } from "../../shared/forward/identify.ts";
import { lookAgain, prepare } from "../../shared/forward/sync.ts";
import type { Caller } from "../../shared/engine/authorize.ts";
import { meshKit } from "../fakes/mesh-kit.ts";
import type { MeshKit } from "../fakes/mesh-kit.ts";
import { directory, TRUST_DOMAIN } from "../fakes/units.ts";
import { type Authority, makeAuthority, makeSvid } from "../identity/chains.ts";
import { thumbprintOf } from "../../shared/identity/thumbprint.ts";
import { forge, NOW } from "../identity/forge.ts";
import type { ShownCertificate } from "../../shared/forward/client-certificate.ts";
import type { DirectoryUnit } from "../../shared/engine/snapshot.ts";

const MESH = "spiffe://mesh.test";
const WEB = callerOf({ trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "web" });
const OTHER = callerOf({ trustDomain: TRUST_DOMAIN, namespace: "shop", serviceAccount: "other" });

let pair: KeyPair;
let stranger: KeyPair;
let ours: string;
let again: string;
let others: string;
let foreign: string;

beforeAll(async () => {
  [pair, stranger] = [await generateSigningKey(), await generateSigningKey()];
  ours = await forge(pair, {}, { aud: MESH });
  again = await forge(pair, {}, { aud: MESH, jti: "t-3" });
  foreign = await forge(
    stranger,
    {},
    { aud: "spiffe://other.test", sub: "spiffe://other.test/ns/shop/sa/web" },
  );
  others = await forge(pair, {}, { aud: MESH, sub: `spiffe://${OTHER.principal}`, jti: "t-2" });
});

async function kitWith(...pairs: readonly KeyPair[]): Promise<MeshKit> {
  const kit = meshKit({ units: { directory: directory({ keys: pairs.map((each) => each.publicJwk) }) } });
  await kit.run(prepare(kit.mesh, ["directory"]));
  return kit;
}

async function identified(
  kit: MeshKit,
  fields: Readonly<Record<string, string>>,
  vouched: Caller | null = null,
): Promise<unknown> {
  const identity = await kit.run(
    identify(kit.mesh, { headers: new Headers(fields), vouched, audiences: [MESH] }),
  );
  if (identity.kind === "refusal") return identity.problem.code;
  return [identity.caller?.principal ?? null, identity.isBearerOurs];
}

test("nobody is nobody", async () => {
  expect(await identified(await kitWith(pair), {})).toEqual([null, false]);
});

test.each<[string, () => Readonly<Record<string, string>>, Caller | null, unknown]>([
  ["a peer token", () => ({ "x-selvedge-peer": ours }), null, [WEB.principal, false]],
  ["a bearer token of the mesh", () => ({ authorization: `Bearer ${ours}` }), null, [WEB.principal, true]],
  ["one of a scheme in lower case", () => ({ authorization: `bearer ${ours}` }), null, [WEB.principal, true]],
  [
    "one behind a tab and a blank",
    () => ({ authorization: `BEARER\t ${ours}` }),
    null,
    [WEB.principal, true],
  ],
  ["props of a binding", () => ({}), WEB, [WEB.principal, false]],
  [
    "all of them, agreeing",
    () => ({ "x-selvedge-peer": ours, authorization: `Bearer ${ours}` }),
    WEB,
    [WEB.principal, true],
  ],
  ["another scheme", () => ({ authorization: `Basic ${ours}` }), null, [null, false]],
  [
    "a token of another issuer: an end user's",
    () => ({ authorization: "Bearer a.b.c" }),
    null,
    [null, false],
  ],
  [
    "two tokens that differ",
    () => ({ "x-selvedge-peer": ours, authorization: `Bearer ${others}` }),
    null,
    "authn.token.invalid",
  ],
  ["a token that differs from the props", () => ({ "x-selvedge-peer": ours }), OTHER, "authn.token.invalid"],
  ["a peer token of another mesh", () => ({ "x-selvedge-peer": foreign }), null, [null, false]],
  [
    "a peer token of another mesh, beside props",
    () => ({ "x-selvedge-peer": foreign }),
    WEB,
    [WEB.principal, false],
  ],
  ["a peer token that is none", () => ({ "x-selvedge-peer": "end-user" }), null, "authn.token.invalid"],
  ["an empty peer token", () => ({ "x-selvedge-peer": "" }), null, "authn.token.invalid"],
])("takes %s for what it is", async (_what, fields, vouched, expected) => {
  expect(await identified(await kitWith(pair), fields(), vouched)).toEqual(expected);
});

test.each<[string, () => Readonly<Record<string, string>>, readonly string[]]>([
  ["no token", () => ({}), []],
  ["a peer token", () => ({ "x-selvedge-peer": ours }), ["t-1"]],
  [
    "a peer and a bearer token",
    () => ({ "x-selvedge-peer": ours, authorization: `Bearer ${again}` }),
    ["t-1", "t-3"],
  ],
  ["a token of an end user", () => ({ authorization: "Bearer a.b.c" }), []],
])("tells of %s which tokens it was", async (_what, fields, ids) => {
  const kit = await kitWith(pair);
  const identity = await kit.run(
    identify(kit.mesh, { headers: new Headers(fields()), vouched: WEB, audiences: [MESH] }),
  );
  expect(identity).toMatchObject({
    kind: "identity",
    tokens: ids.map((id) => ({ id, audience: MESH, expiresAt: NOW + 300_000 })),
  });
});

test.each<[string, () => Promise<string>, string]>([
  ["for another audience", () => forge(pair, {}, {}), "authn.token.invalid"],
  ["with another key", () => forge(stranger, {}, { aud: MESH }), "authn.token.invalid"],
  ["that has expired", () => forge(pair, {}, { aud: MESH, iat: 1, exp: 2 }), "authn.token.expired"],
])("refuses a mesh token %s, and never takes it for nobody", async (_what, make, code) => {
  expect(await identified(await kitWith(pair), { authorization: `Bearer ${await make()}` })).toBe(code);
});

test("without any key of the mesh, tokens cannot be checked", async () => {
  expect(await identified(await kitWith(), { "x-selvedge-peer": ours })).toBe("authn.keys_unavailable");
});

test("a token of a key that the isolate has not heard of yet is looked at again after a sync", async () => {
  const kit = await kitWith(stranger);
  kit.put({ directory: directory({ keys: [stranger.publicJwk, pair.publicJwk] }) });

  expect(await identified(kit, { "x-selvedge-peer": ours })).toEqual([WEB.principal, false]);
});

test("calls that come while one looks again for a young key wait for what it finds", async () => {
  const kit = await kitWith(stranger);
  kit.put({ directory: directory({ keys: [stranger.publicJwk, pair.publicJwk] }) });

  const both = await Promise.all([1, 2].map(() => identified(kit, { "x-selvedge-peer": ours })));

  expect(both).toEqual([
    [WEB.principal, false],
    [WEB.principal, false],
  ]);
});

test("a flood of bad tokens does not become a flood of syncs", async () => {
  const kit = await kitWith(pair);
  for (let n = 0; n < 100; n++) await identified(kit, { "x-selvedge-peer": "bad" });

  expect(kit.calls.syncs.length).toBe(2);
});

async function by(kit: MeshKit, certificate: ShownCertificate | null, fields: Record<string, string> = {}) {
  const headers = new Headers(fields);
  const identity = await kit.run(
    identify(kit.mesh, { headers, vouched: null, certificate, audiences: [MESH] }),
  );
  return identity.kind === "refusal" ? identity.problem.code : (identity.caller?.principal ?? null);
}

async function learn(kit: MeshKit, changes: Partial<DirectoryUnit>): Promise<void> {
  kit.put({ directory: directory(changes) });
  await kit.advance(1_000);
  await kit.run(lookAgain(kit.mesh));
}

describe("a client certificate", () => {
  const HOUR = 3_600_000;
  const proving = import("../../shared/identity/client-certificate.ts");
  let authority: Authority;
  let foreignAuthority: Authority;
  let leaf: string;

  beforeAll(async () => {
    const { now } = meshKit({ units: {} }).mesh.ports;
    authority = await makeAuthority(TRUST_DOMAIN, now());
    foreignAuthority = await makeAuthority(TRUST_DOMAIN, now());
    leaf = await makeSvid(`spiffe://${WEB.principal}`, authority.intermediate, now());
  });

  /** What was read, too: how often the library was asked. */
  function show(
    changes: Partial<ShownCertificate> = {},
  ): ShownCertificate & { readonly reads: () => number } {
    let reads = 0;
    const load: ShownCertificate["load"] = () => {
      reads += 1;
      return proving;
    };
    const chain = [authority.intermediate.certificate];
    return { verdict: "SUCCESS", isRevoked: false, leaf, chain, load, ...changes, reads: () => reads };
  }

  async function kitOf(changes: Partial<DirectoryUnit> = {}): Promise<MeshKit> {
    const unit = directory({ keys: [pair.publicJwk], roots: [authority.root], ...changes });
    const kit = meshKit({ units: { directory: unit } });
    await kit.run(prepare(kit.mesh, ["directory"]));
    return kit;
  }

  test("proves who calls, and is read once", async () => {
    const [kit, shown] = [await kitOf(), show()];
    expect([await by(kit, shown), await by(kit, shown), await by(kit, shown)]).toEqual(
      Array.from({ length: 3 }, () => WEB.principal),
    );
    expect(shown.reads()).toBe(1);
  });

  test.each<[string, () => Partial<ShownCertificate>, string]>([
    ["that failed", () => ({ verdict: "FAILED:self signed certificate" }), "authn.certificate.invalid"],
    ["that nobody looked at", () => ({ verdict: "NONE" }), "authn.certificate.invalid"],
    ["of which nothing is known", () => ({ verdict: "" }), "authn.certificate.invalid"],
    ["in another spelling of success", () => ({ verdict: "success" }), "authn.certificate.invalid"],
    ["that its issuer revoked", () => ({ isRevoked: true }), "authn.revoked"],
    ["that is too large", () => ({ leaf: "" }), "authn.certificate.invalid"],
    ["without its chain", () => ({ chain: [] }), "authn.certificate.invalid"],
    ["that is nonsense", () => ({ leaf: "AAAA" }), "authn.certificate.invalid"],
  ])("%s is refused, and never taken for none", async (_, change, code) => {
    const kit = await kitOf();
    expect(await by(kit, show(change()))).toBe(code);
    // A token beside it does not make it good.
    expect(await by(kit, show(change()), { "x-selvedge-peer": ours })).toBe(code);
  });

  test("counts beside a token of the same workload only", async () => {
    const kit = await kitOf();
    expect(await by(kit, show(), { "x-selvedge-peer": ours })).toBe(WEB.principal);
    expect(await by(kit, show(), { "x-selvedge-peer": others })).toBe("authn.token.invalid");
    expect(await by(kit, show(), { authorization: `Bearer ${others}` })).toBe("authn.token.invalid");
  });

  test("is what a token that is bound to it needs, at every call and in either field", async () => {
    const kit = await kitOf();
    const another = await makeSvid(`spiffe://${WEB.principal}`, authority.intermediate, kit.mesh.ports.now());
    const cnf = { "x5t#S256": await thumbprintOf(leaf) };
    const bound = await forge(pair, {}, { aud: MESH, cnf });
    for (const fields of [{ "x-selvedge-peer": bound }, { authorization: `Bearer ${bound}` }]) {
      expect([
        await by(kit, show(), fields),
        await by(kit, show({ leaf: another }), fields),
        await by(kit, null, fields),
        await by(kit, show(), fields),
      ]).toEqual([WEB.principal, "authn.token.unbound", "authn.token.unbound", WEB.principal]);
    }
    // What the platform vouches for is no certificate.
    expect(await identified(kit, { "x-selvedge-peer": bound }, WEB)).toBe("authn.token.unbound");
  });

  test("is not looked for in a younger directory when a token lacks it", async () => {
    const kit = await kitOf();
    const bound = await forge(pair, {}, { aud: MESH, cnf: { "x5t#S256": await thumbprintOf(leaf) } });
    await by(kit, show(), { "x-selvedge-peer": bound });
    const syncs = kit.calls.syncs.length;
    expect(await by(kit, null, { "x-selvedge-peer": bound })).toBe("authn.token.unbound");
    expect(kit.calls.syncs.length).toBe(syncs);
  });

  test.each<[string, () => Partial<Credentials>, boolean]>([
    ["nobody", () => ({}), false],
    ["a token alone", () => ({ headers: new Headers({ "x-selvedge-peer": ours }) }), true],
    ["a bearer alone", () => ({ headers: new Headers({ authorization: `Bearer ${ours}` }) }), true],
    [
      "a token beside a certificate",
      () => ({ headers: new Headers({ "x-selvedge-peer": ours }), certificate: show() }),
      false,
    ],
    [
      "a token beside props",
      () => ({ headers: new Headers({ "x-selvedge-peer": ours }), vouched: WEB }),
      false,
    ],
    ["a certificate", () => ({ certificate: show() }), false],
    ["a token of an end user", () => ({ headers: new Headers({ authorization: "Bearer a.b.c" }) }), false],
  ])("%s: tokens alone say who calls, or not", async (_what, shown, isUnbound) => {
    const kit = await kitOf();
    const credentials = { headers: new Headers(), vouched: null, audiences: [MESH], ...shown() };
    expect(await kit.run(identify(kit.mesh, credentials))).toMatchObject({ kind: "identity", isUnbound });
  });

  test("is the mesh's fault where the mesh has no roots", async () => {
    expect(await by(await kitOf({ roots: [] }), show())).toBe("authn.keys_unavailable");
  });

  test("that was good is not when its root is gone, is revoked, or has ended", async () => {
    const kit = await kitOf();
    const shown = show();
    expect(await by(kit, shown)).toBe(WEB.principal);
    const revoked = {
      ids: [],
      identities: [{ subject: `spiffe://${WEB.principal}`, before: kit.mesh.ports.now() + 1 }],
    };
    await learn(kit, { roots: [authority.root], revoked });
    expect(await by(kit, shown)).toBe("authn.revoked");
    await learn(kit, { roots: [authority.root] });
    expect(await by(kit, shown)).toBe(WEB.principal);
    await learn(kit, { roots: [foreignAuthority.root] });
    expect(await by(kit, shown)).toBe("authn.certificate.invalid");
    await learn(kit, { roots: [authority.root] });
    expect(await by(kit, shown)).toBe(WEB.principal);
    await kit.advance(HOUR);
    expect(await by(kit, shown)).toBe("authn.certificate.invalid");
  });

  test("of a root that the isolate has not heard of yet is looked at again after a sync", async () => {
    const kit = await kitOf({ roots: [foreignAuthority.root] });
    kit.put({ directory: directory({ roots: [foreignAuthority.root, authority.root] }) });
    expect(await by(kit, show())).toBe(WEB.principal);
  });
});
