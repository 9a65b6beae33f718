import { beforeAll, describe, expect, test } from "vitest";
import type { Authorization } from "../../shared/engine/authorize.ts";
import type { JwtRule } from "../../shared/engine/end-user.ts";
import { carry } from "../../shared/forward/carry.ts";
import { identifyUser, type UserCredentials } from "../../shared/forward/end-users.ts";
import { issuerOf, rule, type Issuer } from "../fakes/issuers.ts";
import { codeOf, get, ok, reception, setUp } from "../fakes/loop.ts";
import { START } from "../fakes/mesh-kit.ts";
import {
  backend,
  directory,
  listener,
  OPEN,
  PERMISSIVE,
  routeSet,
  service,
  virtualHost,
} from "../fakes/units.ts";

const NOW = START / 1_000;

let one: Issuer;
let two: Issuer;

beforeAll(async () => {
  one = await issuerOf("one");
  two = await issuerOf("two");
});

/** Lets in who comes for one user. */
function onlyFor(issuer: string, subject: string): Authorization {
  const user = {
    issuer: { kind: "exact", value: issuer },
    subject: { kind: "exact", value: subject },
  } as const;
  return {
    deny: [],
    allow: [{ policy: "shop/p", rule: 0, from: [{ also: [{ kind: "user", values: [user] }] }], to: [] }],
  };
}

function callWith(users: readonly JwtRule[], authorization = OPEN) {
  const { kit, sent } = setUp(service("reviews", { inbound: [{ ...PERMISSIVE, users, authorization }] }), [
    ok,
  ]);
  const call = async (headers: Readonly<Record<string, string>>, path = "/") => {
    const request = new Request(`http://reviews${path}`, { headers });
    const response = await kit.run(carry(kit.mesh, request, reception()));
    return response.status === 200 ? 200 : codeOf(response);
  };
  return { kit, sent, call };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe("a token", () => {
  test.each<
    [
      string,
      (
        token: (claims?: Readonly<Record<string, unknown>>) => Promise<string>,
      ) => Promise<Record<string, string>>,
      unknown,
    ]
  >([
    ["that is good", async (token) => bearer(await token()), 200],
    ["that is not there", async () => ({}), 200],
    ["that is of another scheme", async () => ({ authorization: "Basic YTpi" }), 200],
    ["that is none", async () => bearer("opaque"), [401, "authn.token.invalid"]],
    [
      "that is altered",
      async (token) => bearer(`${(await token()).slice(0, -8)}AAAAAAAA`),
      [401, "authn.token.invalid"],
    ],
    [
      "of another issuer",
      async (token) => bearer(await token({ iss: "none" })),
      [401, "authn.token.invalid"],
    ],
    [
      "for somebody else",
      async (token) => bearer(await token({ aud: "other" })),
      [403, "authn.token.audience"],
    ],
    ["for several", async (token) => bearer(await token({ aud: ["other", "shop"] })), 200],
    ["for nobody", async (token) => bearer(await token({ aud: undefined })), [403, "authn.token.audience"]],
    ["that expired 20 s ago", async (token) => bearer(await token({ exp: NOW - 20 })), 200],
    [
      "that expired 60 s ago",
      async (token) => bearer(await token({ exp: NOW - 60 })),
      [401, "authn.token.expired"],
    ],
    ["that begins in 60 s", async (token) => bearer(await token({ nbf: NOW + 60 })), 200],
    [
      "that begins in 70 s",
      async (token) => bearer(await token({ nbf: NOW + 70 })),
      [401, "authn.token.invalid"],
    ],
    ["without an end", async (token) => bearer(await token({ exp: undefined })), 200],
  ])("%s", async (_what, fields, expected) => {
    const { call } = callWith([rule("one", one.jwk, { audiences: ["shop"] })]);
    expect(await call(await fields(one.token))).toEqual(expected);
  });

  test.each<[string, Readonly<Record<string, string>>, string, unknown]>([
    ["in a scheme of lower case", { authorization: "bearer FORGED" }, "/", [401, "authn.token.invalid"]],
    ["behind a tab", { authorization: "Bearer\tFORGED" }, "/", [401, "authn.token.invalid"]],
    ["under a name with an escape", {}, "/?%61ccess_token=FORGED", [401, "authn.token.invalid"]],
    ["behind a true one", {}, "/?access_token=TRUE&access_token=FORGED", [401, "authn.token.invalid"]],
    ["before a true one", {}, "/?access_token=FORGED&access_token=TRUE", [401, "authn.token.invalid"]],
    ["among true ones of another name", {}, "/?access_token=TRUE&access_tokens=FORGED", 200],
    ["twice the same, and true", {}, "/?access_token=TRUE&access_token=TRUE", 200],
    ["in a cookie", { cookie: "session=FORGED" }, "/", [401, "authn.token.invalid"]],
    ["in a second line of cookies", { cookie: "a=b, session=FORGED" }, "/", [401, "authn.token.invalid"]],
    [
      "in the second of two cookies",
      { cookie: "session=TRUE; session=FORGED" },
      "/",
      [401, "authn.token.invalid"],
    ],
    ["in a cookie, and true", { cookie: "a=b; session=TRUE" }, "/", 200],
  ])("that is forged does not pass unseen %s", async (_where, fields, path, expected) => {
    const places: JwtRule["places"] = [...rule("one", one.jwk).places, { kind: "cookie", name: "session" }];
    const { call } = callWith([rule("one", one.jwk, { places })]);
    const token = await one.token();
    const written = (text: string): string =>
      text.replaceAll("FORGED", `${token.slice(0, -8)}AAAAAAAA`).replaceAll("TRUE", token);
    const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, written(value)]));
    expect(await call(headers, written(path))).toEqual(expected);
  });

  test("tells Istio's words for what is wrong with it", async () => {
    const { kit } = callWith([rule("one", one.jwk)]);
    const request = new Request("http://reviews/", { headers: bearer(await one.token({ exp: 1 })) });
    const response = await kit.run(carry(kit.mesh, request, reception()));
    expect(await response.json()).toMatchObject({ detail: "Jwt is expired" });
  });

  test("is for the user that policies ask for", async () => {
    const { call } = callWith([rule("one", one.jwk)], onlyFor("one", "jane"));
    expect([
      await call(bearer(await one.token())),
      await call(bearer(await one.token({ sub: "joe" }))),
      await call(bearer(await one.token({ sub: undefined }))),
      await call({}),
    ]).toEqual([200, ...Array.from({ length: 3 }, () => [403, "authz.default_deny"])]);
  });

  test("counts by the rule of its issuer, with that issuer's keys only", async () => {
    const { call } = callWith([rule("one", one.jwk), rule("two", two.jwk)], onlyFor("two", "jane"));
    expect([
      await call(bearer(await two.token())),
      await call(bearer(await one.token({ iss: "two" }))),
      await call(bearer(await one.token())),
    ]).toEqual([200, [401, "authn.token.invalid"], [403, "authz.default_deny"]]);
  });

  test("expires while it is remembered", async () => {
    const { kit, call } = callWith([rule("one", one.jwk)]);
    const token = bearer(await one.token());
    expect(await call(token)).toBe(200);
    // Virtual time creeps on while WebCrypto works: half a minute on either side of the end.
    await kit.advance(600_000);
    expect(await call(token)).toBe(200);
    await kit.advance(90_000);
    expect(await call(token)).toEqual([401, "authn.token.expired"]);
  });

  test("is forgotten with the key that proved it", async () => {
    const { kit, call } = callWith([rule("one", one.jwk)]);
    const token = bearer(await one.token());
    expect(await call(token)).toBe(200);
    kit.put({
      "service:shop/reviews": service("reviews", {
        inbound: [{ ...PERMISSIVE, users: [rule("one", two.jwk)] }],
      }),
    });
    await kit.advance(1_000);
    expect(await call(token)).toEqual([401, "authn.token.invalid"]);
  });
});

describe("the places of tokens", () => {
  const places = [
    { kind: "header", name: "x-jwt", prefix: "Token " },
    { kind: "param", name: "jwt" },
    { kind: "cookie", name: "session" },
  ] as const;

  test.each<[string, (token: string) => readonly [Record<string, string>, string], unknown]>([
    ["a header", (token) => [{ "x-jwt": `Token ${token}` }, "/"], 200],
    ["a header without its prefix", (token) => [{ "x-jwt": token }, "/"], [403, "authz.default_deny"]],
    ["a parameter", (token) => [{}, `/?a=1&jwt=${token}`], 200],
    ["a cookie", (token) => [{ cookie: `a=b; session=${token}` }, "/"], 200],
    ["the usual one, which does not count", (token) => [bearer(token), "/"], [403, "authz.default_deny"]],
    [
      "two, of which one is bad",
      (token) => [{ "x-jwt": "Token a" }, `/?jwt=${token}`],
      [401, "authn.token.invalid"],
    ],
  ])("%s", async (_what, where, expected) => {
    const { call } = callWith([rule("one", one.jwk, { places })], onlyFor("one", "jane"));
    const [headers, path] = where(await one.token());
    expect(await call(headers, path)).toEqual(expected);
  });
});

describe("what the callee sees", () => {
  const outputs: Partial<JwtRule> = {
    payloadHeader: "x-payload",
    claimHeaders: [
      { header: "x-user", claim: ["sub"] },
      { header: "x-team", claim: ["org", "team"] },
      { header: "x-groups", claim: ["groups"] },
      { header: "x-odd", claim: ["odd"] },
    ],
  };

  test("tells claims, and takes the token away", async () => {
    const { call, sent } = callWith([rule("one", one.jwk, outputs)]);
    const token = await one.token({ org: { team: "a" }, groups: ["x", "y"], odd: "a\r\nb: c" });
    await call({ ...bearer(token), "x-odd": "forged" });
    const headers = sent[0]?.headers;
    const names = ["authorization", "x-payload", "x-user", "x-team", "x-groups", "x-odd"];
    expect(names.map((name) => headers?.get(name))).toEqual([
      null,
      token.split(".")[1],
      "jane",
      "a",
      "x,y",
      null,
    ]);
  });

  test("leaves the token where the rule forwards it", async () => {
    const { call, sent } = callWith([rule("one", one.jwk, { isForwarded: true })]);
    const fields = bearer(await one.token());
    await call(fields);
    expect(sent[0]?.headers.get("authorization")).toBe(fields.authorization);
  });

  test("has nothing that a client made up, with or without a token", async () => {
    const { call, sent } = callWith([rule("one", one.jwk, outputs), rule("two", two.jwk)]);
    const forged = { "x-payload": "a", "x-user": "root", "x-team": "root", "x-groups": "root" };
    await call(forged);
    await call({ ...forged, ...bearer(await two.token()) });
    const seen = sent.map(({ headers }) => Object.keys(forged).map((name) => headers.get(name)));
    expect(seen).toEqual([
      [null, null, null, null],
      [null, null, null, null],
    ]);
  });
});

test("that ends like a remembered one is another one", async () => {
  const { call } = callWith([rule("one", one.jwk)]);
  const token = await one.token();
  expect(await call(bearer(token))).toBe(200);
  const [header = "", payload = "", signature = ""] = token.split(".");
  const claims = { ...JSON.parse(Buffer.from(payload, "base64url").toString()), sub: "root" };
  const forged = Buffer.from(JSON.stringify(claims)).toString("base64url");
  expect(await call(bearer(`${header}.${forged}.${signature}`))).toEqual([401, "authn.token.invalid"]);
});

test("is verified once for all services that trust its issuer's key, each by a rule of its own", async () => {
  const { kit } = setUp(service("reviews"), [ok]);
  const { userTokens } = kit.mesh.ports;
  let readings = 0;
  const ports = { ...kit.mesh.ports, userTokens: () => ((readings += 1), userTokens()) };
  const mesh = { ...kit.mesh, ports };
  const shown = showing(bearer(await one.token()));
  const reviews = rule("one", one.jwk);
  const ratings = { ...structuredClone(reviews), claimHeaders: [{ header: "x-user", claim: ["sub"] }] };
  const first = await identifyUser(mesh, [reviews], shown);
  const second = await identifyUser(mesh, [ratings], shown);
  expect([first, second, readings]).toEqual([
    { kind: "user", user: expect.objectContaining({ subject: "jane" }), edits: [STRIPPED] },
    {
      kind: "user",
      user: expect.objectContaining({ subject: "jane" }),
      edits: [{ name: "x-user", value: null }, STRIPPED, { name: "x-user", value: "jane" }],
    },
    1,
  ]);
  const others = rule("one", two.jwk);
  expect(await identifyUser(mesh, [others], shown)).toMatchObject({ kind: "refusal" });
});

test("is told by the rule that counts, where several look for it at one place", async () => {
  const { kit } = setUp(service("reviews"), [ok]);
  const places = [{ kind: "header", name: "authorization", prefix: "Bearer " }] as const;
  const sender = { kind: "header", name: "x-sender", prefix: "" } as const;
  const claimHeaders = [{ header: "x-user", claim: ["sub"] }];
  const rules = [
    rule("one", one.jwk, { places: [...places, sender] }),
    rule("one", one.jwk, { places, claimHeaders }),
  ];
  const alone = bearer(await one.token());
  const cleared = { name: "x-user", value: null };
  expect(await identifyUser(kit.mesh, rules, showing(alone))).toMatchObject({ edits: [cleared, STRIPPED] });
  const edits = [cleared, STRIPPED, { name: "x-user", value: "jane" }];
  const both = showing({ ...alone, "x-sender": "no token" });
  expect(await identifyUser(kit.mesh, rules, both)).toMatchObject({ edits });
});

function showing(fields: Readonly<Record<string, string>>): UserCredentials {
  return { method: "GET", headers: new Headers(fields), query: "", isBearerOurs: false };
}

const STRIPPED = { name: "authorization", value: null };

test("a gateway verifies for itself, and the workload does not see the token", async () => {
  const door = listener("front");
  const host = {
    ...virtualHost(routeSet({ backends: [backend("reviews")] }), onlyFor("one", "jane")),
    users: [rule("one", one.jwk)],
  };
  const more = { directory: directory({ listeners: [door] }), [`host:${door.id}#*`]: host };
  const { kit, sent } = setUp(service("reviews"), [ok], { more });
  const visit = (headers: Record<string, string>): Promise<Response> =>
    kit.run(
      carry(
        kit.mesh,
        new Request("http://reviews/", { headers }),
        reception({ vouched: () => null, goalOf: () => ({ kind: "gateway" }) }),
      ),
    );

  expect((await visit(bearer(await one.token()))).status).toBe(200);
  expect(sent[0]?.headers.get("authorization")).toBeNull();
  expect(await codeOf(await visit({}))).toEqual([403, "authz.default_deny"]);
  expect(await codeOf(await visit(bearer("a")))).toEqual([401, "authn.token.invalid"]);
});

test("a call without any of it costs no look at tokens", async () => {
  const { kit } = setUp(service("reviews"), [ok]);
  expect((await kit.run(carry(kit.mesh, get(), reception()))).status).toBe(200);
  expect([kit.mesh.state.users.young.size, kit.mesh.state.keySets.size]).toEqual([0, 0]);
});
