import "reflect-metadata";
import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import * as x509 from "@peculiar/x509";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { spiffeId } from "../../shared/identity/spiffe.ts";
import { verify } from "../../shared/identity/token.ts";
import type { AuthorityApi, IssuedCertificate, RevokeRequest } from "../../shared/wire/authority-rpc.ts";
import type { TrustPublication } from "../../shared/wire/registry-rpc.ts";
import { makeUpstream } from "../identity/upstreams.ts";
import { seeded } from "../engine/random.ts";
import { isBelieved, makeRequest } from "../identity/requests.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;
const SKEW = 30_000;
const TRUST_DOMAIN = env.SELVEDGE_TRUST_DOMAIN;
const WEB = spiffeId(TRUST_DOMAIN, "shop", "web");
const { csr } = await makeRequest();

let tests = 0;
let name = "";

// One clock for all tests, since the registry is one: it ignores publications that are older.
beforeAll(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
});

afterAll(() => {
  vi.useRealTimers();
});

beforeEach(() => {
  name = `certificates-${(tests += 1)}`;
  pass(DAY);
});

const stub = () => env.AUTHORITY.getByName(name);
const authority = (): AuthorityApi => stub();
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const second = () => Math.floor(Date.now() / 1000) * 1000;

/** Takes the object's memory, whether or not it is running. */
async function evict(): Promise<void> {
  await runInDurableObject(stub(), () => undefined);
  await evictDurableObject(stub());
}

/** The alarm as it would come, in an instance without memory. */
async function alarm(): Promise<void> {
  await evict();
  await runDurableObjectAlarm(stub());
}

async function certify(ttlSeconds?: number): Promise<IssuedCertificate> {
  await evict();
  const life = ttlSeconds === undefined ? {} : { ttlSeconds };
  const outcome = await authority().certify({ workload: "shop/web", csr, requester: "test", ...life });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.value;
}

/** What the registry was told, straight from its storage. */
function told(): Promise<Omit<TrustPublication, "sequence">> {
  return runInDurableObject(env.REGISTRY.getByName("mesh"), (_, state) => {
    const [row] = state.storage.sql.exec<{ body: string }>(
      "SELECT body FROM published WHERE topic = 'trust'",
    );
    return row === undefined
      ? { keys: [], roots: [], revoked: { ids: [], identities: [] } }
      : JSON.parse(row.body);
  });
}

function rows(query: string): Promise<unknown[]> {
  return runInDurableObject(stub(), (_, state) => state.storage.sql.exec(query).toArray());
}

async function states(): Promise<string[]> {
  await evict();
  const { roots } = await authority().status();
  return roots.map(({ state, source }) => `${state} ${source}`);
}

test("a certificate says who its holder is, and nothing that its request wished", async () => {
  const issued = await certify();
  const leaf = new x509.X509Certificate(issued.certificate);
  expect({
    names: leaf.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON(),
    subject: leaf.subject,
    from: leaf.notBefore.getTime(),
    until: leaf.notAfter.getTime(),
    serial: leaf.serialNumber,
  }).toEqual({
    names: [{ type: "url", value: WEB }],
    subject: "",
    from: second() - MINUTE,
    until: second() + DAY,
    serial: issued.serial,
  });
  expect(issued).toMatchObject({ subject: WEB, notBefore: second() - MINUTE, expiresAt: second() + DAY });
  expect(await isBelieved(issued, (await told()).roots, Date.now())).toBe(true);
  expect(await isBelieved(issued, [], Date.now())).toBe(false);
});

test("what is issued is written down, by the intermediate that signed it", async () => {
  const { serial } = await certify(600);
  const { intermediate } = await authority().status();
  expect(await authority().audit({ limit: 10 })).toEqual({
    ok: true,
    value: [
      {
        number: 1,
        kind: "x509-svid",
        id: serial,
        subject: WEB,
        audience: "",
        issuer: intermediate.id,
        requester: "test",
        at: second(),
        expiresAt: second() + 600_000,
        hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ],
  });
});

test("a certificate that cannot be written down is not issued", async () => {
  await certify();
  await runInDurableObject(stub(), async (instance, state) => {
    state.storage.sql.exec(
      "CREATE TRIGGER full BEFORE INSERT ON issued BEGIN SELECT RAISE(ABORT, 'full'); END",
    );
    await expect(instance.certify({ workload: "shop/web", csr, requester: "test" })).rejects.toThrow("full");
  });
});

test("fifty first callers share one root, and no serial number repeats", async () => {
  const outcomes = await runInDurableObject(stub(), (instance) =>
    Promise.all(
      Array.from({ length: 50 }, () => instance.certify({ workload: "shop/web", csr, requester: "test" })),
    ),
  );
  const serials = outcomes.map((outcome) => (outcome.ok ? outcome.value.serial : ""));
  expect(new Set(serials).size).toBe(50);
  expect(await states()).toEqual(["current own"]);
});

async function numbers(request: object): Promise<unknown> {
  const outcome = await authority().audit({ limit: 2, ...request });
  return outcome.ok ? outcome.value.map(({ number }) => number) : outcome.problem.code;
}

test("the audit is read in pages, of one workload or of all", async () => {
  await certify();
  for (const workload of ["shop/cart", "shop/web", "shop/cart"]) {
    await authority().issue({ workload, audience: WEB });
  }
  expect(await numbers({})).toEqual([4, 3]);
  expect(await numbers({ before: 3 })).toEqual([2, 1]);
  expect(await numbers({ workload: "shop/web" })).toEqual([3, 1]);
  expect(await numbers({ workload: "shop" })).toBe("request.malformed");
});

test("private keys are in no answer and in nothing that is published", async () => {
  await certify();
  const secrets = (await rows(
    "SELECT private_jwk FROM keys UNION SELECT private_jwk FROM roots UNION SELECT private_jwk FROM intermediates",
  )) as { private_jwk: string }[];
  const told = JSON.stringify([
    await authority().bundle(),
    await authority().status(),
    await authority().keys(),
  ]);
  const secret = secrets.map(({ private_jwk }) => JSON.parse(private_jwk).d);
  expect(secret).toHaveLength(4);
  expect(secret.filter((d) => told.includes(d))).toEqual([]);
});

test("an intermediate is replaced at once, and what the old one signed is believed on", async () => {
  const before = await certify();
  const { intermediate } = await authority().status();
  await evict();
  expect(await authority().turn("intermediate")).toMatchObject({ ok: true });
  const after = await certify();
  const { roots } = await told();
  expect((await authority().status()).intermediate.id).not.toBe(intermediate.id);
  expect(after.chain).not.toEqual(before.chain);
  expect([await isBelieved(before, roots, Date.now()), await isBelieved(after, roots, Date.now())]).toEqual([
    true,
    true,
  ]);
  expect(await rows("SELECT count(*) AS keys FROM intermediates WHERE private_jwk IS NOT NULL")).toEqual([
    { keys: 1 },
  ]);
});

test("a root is in the bundle for ten minutes before it counts, and stays until its last leaf has expired", async () => {
  const old = await certify(604_800);
  const [first = ""] = (await told()).roots;
  expect(await authority().turn("root")).toMatchObject({ ok: true });
  expect(await states()).toEqual(["current own", "next own"]);
  const [, next = ""] = (await told()).roots;
  expect((await authority().status()).roots[1]?.takesOverAt).toBe(Date.now() + 10 * MINUTE);

  pass(10 * MINUTE - 1);
  await alarm();
  const waiting = await certify();
  expect(await isBelieved(waiting, [first], Date.now())).toBe(true);
  expect(await isBelieved(waiting, [next], Date.now())).toBe(false);

  pass(1);
  await alarm();
  expect(await states()).toEqual(["current own", "previous own"]);
  expect((await told()).roots.toSorted()).toEqual([first, next].toSorted());
  const young = await certify();
  // Believed by those that know the new root alone, and by those that never heard of it.
  expect(await isBelieved(young, [next], Date.now())).toBe(true);
  expect(await isBelieved(young, [first], Date.now())).toBe(true);
  expect(await isBelieved({ ...young, chain: young.chain.slice(0, 1) }, [first], Date.now())).toBe(false);
  expect(await rows("SELECT state FROM roots WHERE private_jwk IS NOT NULL")).toEqual([{ state: "current" }]);

  vi.setSystemTime(old.expiresAt + SKEW - 1);
  await alarm();
  expect((await told()).roots).toContain(first);
  pass(1);
  await alarm();
  expect((await told()).roots).toEqual([next]);
  expect((await certify()).chain).toHaveLength(1);
});

test("asking for a root twice, or fifty times at once, makes one", async () => {
  await certify();
  await runInDurableObject(stub(), (instance) =>
    Promise.all(Array.from({ length: 50 }, () => instance.turn("root"))),
  );
  expect(await states()).toEqual(["current own", "next own"]);
  pass(10 * MINUTE);
  await runInDurableObject(stub(), (instance) =>
    Promise.all(Array.from({ length: 50 }, () => instance.alarm())),
  );
  expect(await states()).toEqual(["current own", "previous own"]);
  expect(await rows("SELECT count(*) AS n FROM intermediates WHERE state = 'current'")).toEqual([{ n: 1 }]);
});

test("an intermediate is replaced by itself at two thirds of its life, and so is a root", async () => {
  await certify();
  const { intermediate, roots } = await authority().status();
  const renewsAt = intermediate.renewsAt ?? 0;
  expect(renewsAt - Date.now()).toBeGreaterThan(243 * DAY - 2 * MINUTE);
  vi.setSystemTime(renewsAt - 1);
  await alarm();
  expect((await authority().status()).intermediate.id).toBe(intermediate.id);
  pass(1);
  await alarm();
  expect((await authority().status()).intermediate.id).not.toBe(intermediate.id);

  vi.setSystemTime((roots[0]?.notAfter ?? 0) - Math.floor((3653 * DAY) / 3) + 2 * MINUTE);
  await alarm();
  expect(await states()).toEqual(["current own", "next own"]);
});

test("while the registry cannot be reached no unpublished root comes to count", async () => {
  await certify();
  const registry = env.REGISTRY.getByName("mesh");
  const run = (sql: string) => runInDurableObject(registry, (_, state) => void state.storage.sql.exec(sql));
  await run("CREATE TRIGGER broken BEFORE INSERT ON published BEGIN SELECT RAISE(ABORT, 'broken'); END");
  await authority().turn("root");
  pass(DAY / 2);
  await alarm();
  expect(await states()).toEqual(["current own", "next own"]);
  expect((await authority().status()).isPublished).toBe(false);
  await run("DROP TRIGGER broken");
  await alarm();
  pass(10 * MINUTE);
  await alarm();
  expect(await states()).toEqual(["current own", "previous own"]);
});

test("another authority's intermediate signs when its root is known, and its successor at once", async () => {
  const before = await certify();
  const upstream = await makeUpstream({ now: Date.now(), trustDomain: TRUST_DOMAIN });
  expect(await authority().load(upstream.documents)).toMatchObject({ ok: true });
  expect(await states()).toEqual(["current own", "next upstream"]);
  const busy = await makeUpstream({ now: Date.now(), trustDomain: TRUST_DOMAIN });
  expect(await authority().load(busy.documents)).toMatchObject({ problem: { code: "config.conflict" } });

  pass(10 * MINUTE);
  await alarm();
  const after = await certify();
  expect(await states()).toEqual(["current upstream", "previous own"]);
  expect(await isBelieved(after, [upstream.root], Date.now())).toBe(true);
  expect(await isBelieved(before, (await told()).roots, Date.now())).toBe(true);
  expect(await authority().turn("intermediate")).toMatchObject({ problem: { code: "config.conflict" } });

  const renewed = await upstream.renew(Date.now());
  expect(await authority().load(renewed)).toMatchObject({ ok: true });
  const renewedLeaf = await certify();
  expect(renewedLeaf.chain).not.toEqual(after.chain);
  expect(await isBelieved(renewedLeaf, [upstream.root], Date.now())).toBe(true);
  expect(await states()).toEqual(["current upstream", "previous own"]);

  await authority().turn("root");
  pass(10 * MINUTE);
  await alarm();
  expect((await states())[0]).toBe("current own");
  expect(await isBelieved(await certify(), (await told()).roots, Date.now())).toBe(true);
});

test("no certificate outlives a loaded intermediate, and none is issued at its end", async () => {
  await certify();
  const upstream = await makeUpstream({ now: Date.now(), trustDomain: TRUST_DOMAIN, lifeMs: 2 * DAY });
  await authority().load(upstream.documents);
  pass(10 * MINUTE);
  await alarm();
  const { notAfter } = (await authority().status()).intermediate;
  expect((await authority().status()).warnings).toEqual([
    expect.stringContaining("loaded intermediate expires"),
  ]);
  expect((await certify(604_800)).expiresAt).toBe(notAfter);
  vi.setSystemTime(notAfter - 600_000 + 1000);
  expect(await authority().certify({ workload: "shop/web", csr, requester: "test" })).toMatchObject({
    problem: { code: "config.conflict" },
  });
});

const REVOKE: RevokeRequest = { kind: "jti", value: "", reason: "lost", author: "admin" };

async function verdict(token: string): Promise<string> {
  const { keys, revoked } = await told();
  const context = { keys, revoked, trustDomain: TRUST_DOMAIN, audiences: [WEB], now: Date.now() };
  const result = await verify(token, context);
  return result.kind === "ok" ? "ok" : result.code;
}

async function issue(workload = "shop/cart"): Promise<{ token: string; id: string }> {
  await evict();
  const outcome = await authority().issue({ workload, audience: WEB });
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.problem));
  return outcome.value;
}

test("a revoked token is refused, and forgotten when it would have expired", async () => {
  const [revoked, other] = [await issue(), await issue()];
  expect(await authority().revoke({ ...REVOKE, value: revoked.id })).toMatchObject({
    value: { isKnown: true },
  });
  expect([await verdict(revoked.token), await verdict(other.token)]).toEqual(["authn.revoked", "ok"]);
  await evict();
  expect(await authority().revocations()).toMatchObject([{ value: revoked.id, reason: "lost" }]);
  pass(3_600_000 + 300_000 + SKEW);
  await alarm();
  expect((await told()).revoked).toEqual({ ids: [], identities: [] });
});

test("an identity's proofs of until now are refused, and those of after count at once", async () => {
  const [old, stranger] = [await issue(), await issue("shop/other")];
  await authority().revoke({ ...REVOKE, kind: "identity", value: "shop/cart" });
  const young = await issue();
  expect(await Promise.all([old, young, stranger].map(({ token }) => verdict(token)))).toEqual([
    "authn.revoked",
    "ok",
    "ok",
  ]);
  pass(7 * DAY + SKEW + 3_600_000 + 1000);
  await alarm();
  expect((await told()).revoked).toEqual({ ids: [], identities: [] });
});

test("a certificate is revoked by its serial number, however it is written", async () => {
  const { serial } = await certify(600);
  const written = serial.toUpperCase().replaceAll(/..(?=.)/g, "$&:");
  expect(await authority().revoke({ ...REVOKE, kind: "serial", value: written })).toMatchObject({
    value: { value: serial, isKnown: true, until: second() + 600_000 + SKEW },
  });
  expect((await told()).revoked.ids).toEqual([serial]);
});

test("a revocation that the registry did not hear of is told when it is back", async () => {
  const { token, id } = await issue();
  const registry = env.REGISTRY.getByName("mesh");
  const run = (sql: string) => runInDurableObject(registry, (_, state) => void state.storage.sql.exec(sql));
  await run("CREATE TRIGGER broken BEFORE INSERT ON published BEGIN SELECT RAISE(ABORT, 'broken'); END");
  expect(await authority().revoke({ ...REVOKE, value: id })).toMatchObject({ ok: true });
  await run("DROP TRIGGER broken");
  pass(5_000);
  await alarm();
  expect(await verdict(token)).toBe("authn.revoked");
});

test("revocations are bounded", async () => {
  await issue();
  await runInDurableObject(stub(), (_, state) => {
    state.storage.sql.exec(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
       INSERT INTO revoked SELECT 'jti', 'id-' || i, NULL, '', '', 0, 9e15, 1 FROM n`,
    );
  });
  expect(await authority().revoke({ ...REVOKE, value: "one-more" })).toMatchObject({
    problem: { code: "config.conflict" },
  });
});

/** A verifier that fetches the bundle every ten minutes, and the worst moment to do so. */
interface Verifier {
  roots: readonly string[];
  fetchedAt: number;
}

test("whatever rotates when, every certificate is believed by everybody until it expires", async () => {
  const random = seeded(7);
  const held: IssuedCertificate[] = [await certify(604_800)];
  const verifiers: Verifier[] = Array.from({ length: 3 }, () => ({ roots: [], fetchedAt: -Infinity }));
  const rotations = ["root", "intermediate", "signing-key"] as const;
  let checks = 0;
  for (let step = 0; step < 80; step += 1) {
    pass(Math.floor(random() * 8 * MINUTE));
    if (random() < 0.2) pass(Math.floor(random() * DAY));
    await (random() < 0.7 ? alarm() : evict());
    const what = rotations[Math.floor(random() * 8)];
    if (what !== undefined) await authority().turn(what);
    held.push(await certify(random() < 0.5 ? 604_800 : 600));
    const { roots } = await authority().bundle();
    for (const [index, verifier] of verifiers.entries()) {
      if (Date.now() - verifier.fetchedAt < 10 * MINUTE * (index / 2)) continue;
      Object.assign(verifier, { roots: roots.map(({ certificate }) => certificate), fetchedAt: Date.now() });
    }
    const valid = held.filter(({ expiresAt }) => expiresAt > Date.now());
    for (const leaf of [...valid.slice(0, 2), ...valid.slice(-2)]) {
      for (const verifier of verifiers) {
        expect(await isBelieved(leaf, verifier.roots, Date.now())).toBe(true);
        checks += 1;
      }
    }
  }
  const ids = new Set(held.map(({ chain }) => chain[0]));
  expect([ids.size > 10, checks > 700]).toEqual([true, true]);
}, 30_000);
