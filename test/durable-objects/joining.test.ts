import "reflect-metadata";
import { env } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { decodeJwt, SignJWT } from "jose";
import { beforeEach, describe, expect, test } from "vitest";
import { requestHash, type ProvedRequest } from "../../shared/identity/certificate-proof.ts";
import { spiffeId } from "../../shared/identity/spiffe.ts";
import { thumbprintOf } from "../../shared/identity/thumbprint.ts";
import type { AuthorityApi, JoinRequest } from "../../shared/wire/authority-rpc.ts";
import { makeRequest } from "../identity/requests.ts";

const AUDIENCE = spiffeId(env.SELVEDGE_TRUST_DOMAIN, "shop", "reviews");
const { csr, keys } = await makeRequest();

let tests = 0;
let name = "";

beforeEach(() => {
  name = `joining-${(tests += 1)}`;
});

const stub = () => env.AUTHORITY.getByName(name);
const authority = (): AuthorityApi => stub();

async function evict(): Promise<void> {
  await runInDurableObject(stub(), () => undefined);
  await evictDurableObject(stub());
}

async function make(scope = "shop/web"): Promise<string> {
  const outcome = await authority().createJoinToken({ scope, ttlSeconds: 3600, author: "admin" });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.value.token;
}

async function join(request: JoinRequest): Promise<unknown> {
  await evict();
  const outcome = await authority().join(request);
  if (!outcome.ok) return outcome.problem.code;
  const { certificate, token } = outcome.value;
  return [certificate?.subject ?? null, token?.subject ?? null];
}

function rows(query: string): Promise<unknown[]> {
  return runInDurableObject(stub(), (_, state) => state.storage.sql.exec(query).toArray());
}

const web = spiffeId(env.SELVEDGE_TRUST_DOMAIN, "shop", "web");

test("a workload gets a certificate and a token for a join token, once", async () => {
  const token = await make();
  expect(await join({ token, csr, audience: AUDIENCE })).toEqual([web, web]);
  expect(await join({ token, csr })).toBe("authn.revoked");
  const [{ id, usedBy } = { id: "", usedBy: null }] = await authority().joinTokens();
  expect(usedBy).toBe("shop/web");
  expect(await rows("SELECT kind, requester FROM issued ORDER BY serial")).toEqual([
    { kind: "x509-svid", requester: `join-token/${id} by admin` },
    { kind: "jwt-svid", requester: `join-token/${id} by admin` },
  ]);
});

test("of fifty that join at once with one token, one does", async () => {
  const token = await make();
  const outcomes = await runInDurableObject(stub(), (instance) =>
    Promise.all(Array.from({ length: 50 }, () => instance.join({ token, csr }))),
  );
  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
  expect(await rows("SELECT id FROM issued")).toHaveLength(1);
});

test.each([
  ["a request that proves no key", { csr: "nonsense" }, "request.malformed"],
  ["an audience of another mesh", { audience: "spiffe://evil.test" }, "request.malformed"],
  ["nothing", { csr: undefined }, "request.malformed"],
  ["another's identity", { workload: "shop/admin" }, "admin.forbidden"],
  ["too long a life", { certificateTtlSeconds: 604_801 }, "request.malformed"],
])("asking for %s gets nothing and spends nothing", async (_name, change, code) => {
  const token = await make();
  const { csr: wished, ...rest } = { csr, ...change };
  expect(await join({ token, ...(wished === undefined ? {} : { csr: wished }), ...rest })).toBe(code);
  expect(await rows("SELECT id FROM issued")).toEqual([]);
  expect(await join({ token, csr })).toEqual([web, null]);
});

test("a token that is not quite right is nobody's", async () => {
  const token = await make();
  const last = token.endsWith("0") ? "1" : "0";
  for (const wrong of ["", token.slice(0, -1) + last, token.replace("slj", "slv"), `${token} `]) {
    expect(await join({ token: wrong, csr })).toBe("authn.token.invalid");
  }
});

test("a token that was ended before it was used is good for nothing", async () => {
  const token = await make();
  const [{ id } = { id: "" }] = await authority().joinTokens();
  expect(await authority().deleteJoinToken(id)).toMatchObject({ ok: true });
  expect(await join({ token, csr })).toBe("authn.token.invalid");
  expect(await authority().deleteJoinToken(id)).toMatchObject({ problem: { code: "resource.not_found" } });
});

test("the token itself is nowhere in storage", async () => {
  const token = await make();
  const stored = JSON.stringify(await rows("SELECT * FROM join_tokens"));
  expect(stored).not.toContain(token);
  expect(stored).not.toContain(token.split("_")[2]);
});

test("a join that cannot be written down leaves the token as it was", async () => {
  const token = await make();
  await authority().bundle();
  await runInDurableObject(stub(), async (instance, state) => {
    state.storage.sql.exec(
      "CREATE TRIGGER full BEFORE INSERT ON issued BEGIN SELECT RAISE(ABORT, 'full'); END",
    );
    await expect(instance.join({ token, csr, audience: AUDIENCE })).rejects.toThrow("full");
    state.storage.sql.exec("DROP TRIGGER full");
  });
  expect(await join({ token, csr })).toEqual([web, null]);
});

/** An assertion for a request, by the key of the certificate. */
async function assertion(certificate: string, wanted: ProvedRequest): Promise<string> {
  return new SignJWT({ rqh: await requestHash(wanted) })
    .setProtectedHeader({ alg: "ES256", x5c: [certificate] })
    .setAudience(`spiffe://${env.SELVEDGE_TRUST_DOMAIN}`)
    .setIssuedAt()
    .setExpirationTime("60s")
    .sign(keys.privateKey);
}

async function joined(): Promise<string> {
  const outcome = await authority().join({ token: await make(), csr });
  if (!outcome.ok || outcome.value.certificate === null) throw new Error("not joined");
  return outcome.value.certificate.certificate;
}

async function renew(certificate: string, wanted: { csr?: string; audience?: string; workload?: string }) {
  await evict();
  const outcome = await authority().renew({ assertion: await assertion(certificate, wanted), ...wanted });
  if (!outcome.ok) return outcome.problem.code;
  return [outcome.value.certificate?.subject ?? null, outcome.value.token?.subject ?? null];
}

test("who has joined renews with its certificate, also when another intermediate signs by then", async () => {
  const certificate = await joined();
  expect(await renew(certificate, { csr, audience: AUDIENCE })).toEqual([web, web]);
  await authority().turn("intermediate");
  expect(await renew(certificate, { csr })).toEqual([web, null]);
  expect(
    await rows("SELECT DISTINCT requester FROM issued WHERE requester LIKE 'certificate/%'"),
  ).toHaveLength(1);
});

test("a certificate proves its own workload only, and nothing once it is revoked", async () => {
  const certificate = await joined();
  expect(await renew(certificate, { csr, workload: "shop/admin" })).toBe("admin.forbidden");
  const revoke = { kind: "identity", value: "shop/web", reason: "", author: "admin" } as const;
  await authority().revoke(revoke);
  expect(await renew(certificate, { csr })).toBe("authn.revoked");
});

test("a certificate that is revoked by its serial number renews nothing", async () => {
  const certificate = await joined();
  const [{ id }] = (await rows("SELECT id FROM issued")) as [{ id: string }];
  await authority().revoke({ kind: "serial", value: id, reason: "", author: "admin" });
  expect(await renew(certificate, { csr })).toBe("authn.revoked");
});

test("a certificate of another authority renews nothing", async () => {
  const certificate = await joined();
  name = `${name}-other`;
  await authority().bundle();
  expect(await renew(certificate, { csr })).toBe("authn.token.invalid");
});

describe("a token that is to be bound", () => {
  const ask = { csr, audience: AUDIENCE, isBound: true };

  test("is bound to the certificate that is issued with it, as the audit tells before either is signed", async () => {
    const outcome = await authority().join({ token: await make(), ...ask });
    if (!outcome.ok) throw new Error(outcome.problem.detail);
    const { certificate, token } = outcome.value;
    const boundTo = await thumbprintOf(certificate?.certificate ?? "");
    expect(decodeJwt(token?.token ?? "")["cnf"]).toEqual({ "x5t#S256": boundTo });
    expect(token?.boundTo).toBe(boundTo);
    await evict();
    expect(await authority().audit({ limit: 9 })).toMatchObject({
      value: [
        { kind: "jwt-svid", boundTo: `certificate/${certificate?.serial}` },
        { kind: "x509-svid", id: certificate?.serial },
      ],
    });
  });

  test("is bound to the certificate that is the proof, where no other is asked for", async () => {
    const certificate = await joined();
    const wanted = { audience: AUDIENCE, isBound: true };
    const outcome = await authority().renew({ assertion: await assertion(certificate, wanted), ...wanted });
    if (!outcome.ok) throw new Error(outcome.problem.detail);
    const boundTo = await thumbprintOf(certificate);
    expect(decodeJwt(outcome.value.token?.token ?? "")["cnf"]).toEqual({ "x5t#S256": boundTo });
    const [{ id }] = (await rows("SELECT id FROM issued WHERE kind = 'x509-svid'")) as [{ id: string }];
    expect(await rows("SELECT bound_to FROM issued WHERE kind = 'jwt-svid'")).toEqual([
      { bound_to: `certificate/${id}` },
    ]);
  });

  test("is bound to the new certificate where one is asked for with the old as the proof", async () => {
    const old = await joined();
    const outcome = await authority().renew({ assertion: await assertion(old, ask), ...ask });
    if (!outcome.ok) throw new Error(outcome.problem.detail);
    const { certificate, token } = outcome.value;
    expect(token?.boundTo).toBe(await thumbprintOf(certificate?.certificate ?? ""));
    expect(token?.boundTo).not.toBe(await thumbprintOf(old));
  });

  test("cannot be had unbound by an assertion for a bound one, nor the other way", async () => {
    const certificate = await joined();
    const plain = { csr, audience: AUDIENCE };
    const answers = [
      await authority().renew({ assertion: await assertion(certificate, ask), ...plain }),
      await authority().renew({ assertion: await assertion(certificate, plain), ...ask }),
    ];
    const refusal = { ok: false, problem: { code: "authn.token.invalid" } };
    expect(answers).toMatchObject([refusal, refusal]);
  });

  test.each([
    ["without any certificate", { audience: AUDIENCE, isBound: true }],
    ["without a token", { csr, isBound: true }],
  ])("%s is refused, and spends nothing", async (_what, wanted) => {
    const token = await make();
    expect(await join({ token, ...wanted })).toBe("request.malformed");
    expect(await join({ token, csr })).toEqual([web, null]);
  });

  test("is bound to what an operator names, and others are bound to nothing", async () => {
    const issue = { workload: "shop/web", audience: AUDIENCE };
    const boundTo = await thumbprintOf("AAAA");
    const bound = await authority().issue({ ...issue, boundTo });
    const unbound = await authority().issue(issue);
    expect([bound, unbound].map((each) => each.ok && decodeJwt(each.value.token)["cnf"])).toEqual([
      { "x5t#S256": boundTo },
      undefined,
    ]);
    expect([bound, unbound].map((each) => each.ok && each.value.boundTo)).toEqual([boundTo, undefined]);
    expect(await rows("SELECT bound_to FROM issued ORDER BY serial")).toEqual([
      { bound_to: `thumbprint/${boundTo}` },
      { bound_to: "" },
    ]);
    const audit = await authority().audit({ limit: 9 });
    expect(audit.ok && audit.value.map((line) => line.boundTo)).toEqual([undefined, `thumbprint/${boundTo}`]);
  });
});
