import { env } from "cloudflare:workers";
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { decodeProtectedHeader } from "jose";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { VerificationKey } from "../../shared/engine/snapshot.ts";
import { spiffeId } from "../../shared/identity/spiffe.ts";
import { verify } from "../../shared/identity/token.ts";
import type { AuthorityApi, IssueRequest } from "../../shared/wire/authority-rpc.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;
const KEPT = 3_630_000;
const CALLEE = spiffeId(env.SELVEDGE_TRUST_DOMAIN, "shop", "reviews");
const REQUEST: IssueRequest = { workload: "shop/web", audience: CALLEE };

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
  name = `authority-${(tests += 1)}`;
  pass(DAY);
});

const stub = () => env.AUTHORITY.getByName(name);
const authority = (): AuthorityApi => stub();
const registry = () => env.REGISTRY.getByName("mesh");
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);
const alarmAt = () => runInDurableObject(stub(), (_, state) => state.storage.getAlarm());
const kids = (keys: readonly VerificationKey[]) => keys.map(({ kid }) => kid);

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

async function issue(change: Partial<IssueRequest> = {}): Promise<{ token: string; id: string }> {
  await evict();
  const outcome = await authority().issue({ ...REQUEST, ...change });
  expect(outcome).toMatchObject({ ok: true });
  return outcome.ok ? outcome.value : { token: "", id: "" };
}

function rows(query: string): Promise<unknown[]> {
  return runInDurableObject(stub(), (_, state) => state.storage.sql.exec(query).toArray());
}

/** The keys that the registry was told, straight from its storage. */
function told(): Promise<readonly VerificationKey[]> {
  return runInDurableObject(registry(), (_, state) => {
    const [row] = state.storage.sql.exec<{ body: string }>(
      "SELECT body FROM published WHERE topic = 'trust'",
    );
    return row === undefined ? [] : JSON.parse(row.body).keys;
  });
}

/** The registry refuses to store publications, as it would with a full disk. */
async function breakRegistry(): Promise<void> {
  await runInDurableObject(registry(), (_, state) => {
    state.storage.sql.exec(
      "CREATE TRIGGER broken BEFORE INSERT ON published BEGIN SELECT RAISE(ABORT, 'broken'); END",
    );
  });
}

async function mendRegistry(): Promise<void> {
  await runInDurableObject(registry(), (_, state) => void state.storage.sql.exec("DROP TRIGGER broken"));
}

/** Whether the callee takes the token, with the keys that the registry would hand it. */
async function verdict(token: string): Promise<string> {
  const trustDomain = env.SELVEDGE_TRUST_DOMAIN;
  const result = await verify(token, {
    keys: await told(),
    trustDomain,
    audiences: [CALLEE],
    now: Date.now(),
  });
  return result.kind === "ok" ? "ok" : result.code;
}

test("a token proves its workload to its audience, with the published keys", async () => {
  const { token, id } = await issue({ isAdmitted: true });
  const context = { keys: await told(), trustDomain: env.SELVEDGE_TRUST_DOMAIN, now: Date.now() };
  expect(await verify(token, { ...context, audiences: [CALLEE] })).toEqual({
    kind: "ok",
    caller: {
      trustDomain: env.SELVEDGE_TRUST_DOMAIN,
      namespace: "shop",
      serviceAccount: "web",
      principal: `${env.SELVEDGE_TRUST_DOMAIN}/ns/shop/sa/web`,
    },
    id,
    audience: CALLEE,
    issuedAt: Math.floor(Date.now() / 1000) * 1000,
    expiresAt: Math.floor(Date.now() / 1000) * 1000 + 300_000,
    isAdmitted: true,
    boundTo: null,
  });
});

test("what is issued is written down, by the key that signed it", async () => {
  const first = await issue();
  const second = await issue({ workload: "shop/cart", ttlSeconds: 10, requester: "edge" });
  const issuedAt = Math.floor(Date.now() / 1000) * 1000;
  const [current] = kids(await authority().keys());
  const common = {
    kind: "jwt-svid",
    kid: current,
    audience: CALLEE,
    bound_to: "",
    issued_at: issuedAt,
    hash: expect.any(String),
  };
  expect(await rows("SELECT * FROM issued")).toEqual([
    {
      ...common,
      serial: 1,
      requester: "",
      id: first.id,
      subject: spiffeId(env.SELVEDGE_TRUST_DOMAIN, "shop", "web"),
      expires_at: issuedAt + 300_000,
    },
    {
      ...common,
      serial: 2,
      requester: "edge",
      id: second.id,
      subject: spiffeId(env.SELVEDGE_TRUST_DOMAIN, "shop", "cart"),
      expires_at: issuedAt + 10_000,
    },
  ]);
});

test("a token that cannot be written down is not issued", async () => {
  await issue();
  await runInDurableObject(stub(), async (instance, state) => {
    state.storage.sql.exec(
      "CREATE TRIGGER full BEFORE INSERT ON issued BEGIN SELECT RAISE(ABORT, 'full'); END",
    );
    await expect(instance.issue(REQUEST)).rejects.toThrow("full");
  });
});

test("a refused request leaves no trace", async () => {
  await issue();
  expect(await authority().issue({ ...REQUEST, workload: "nobody" })).toMatchObject({
    ok: false,
    problem: { code: "request.malformed" },
  });
  expect(await rows("SELECT id FROM issued")).toHaveLength(1);
});

test("fifty first callers share the first keys, and no id repeats", async () => {
  const outcomes = await runInDurableObject(stub(), (instance) =>
    Promise.all(Array.from({ length: 50 }, () => instance.issue(REQUEST))),
  );
  const tokens = outcomes.map((outcome) => (outcome.ok ? outcome.value : { token: "", id: "" }));
  expect(new Set(tokens.map(({ id }) => id)).size).toBe(50);
  expect(await Promise.all(tokens.map(({ token }) => verdict(token)))).toEqual(tokens.map(() => "ok"));
  expect(await rows("SELECT state FROM keys ORDER BY state")).toEqual([
    { state: "current" },
    { state: "next" },
  ]);
});

test("only public halves are answered and published", async () => {
  const keys = await authority().keys();
  const shape = {
    kid: expect.any(String),
    kty: "EC",
    crv: "P-256",
    x: expect.any(String),
    y: expect.any(String),
    alg: "ES256",
  };
  expect(keys).toEqual([shape, shape]);
  expect(await told()).toEqual(keys);
  expect(await authority().rotate()).toEqual(keys);
});

test("keys and tokens survive eviction", async () => {
  const before = await authority().keys();
  const { token } = await issue();
  await evict();
  expect(await authority().keys()).toEqual(before);
  expect(await verdict(token)).toBe("ok");
});

test("after a rotation the old token and a new one verify, until the old key is forgotten", async () => {
  const [first, second] = kids(await authority().keys());
  const old = await issue({ ttlSeconds: 3600 });
  pass(MINUTE);
  await evict();
  const third = kids(await authority().rotate())[1];
  expect(kids(await told())).toEqual([second, third, first]);
  const young = await issue();
  expect(await rows("SELECT kid FROM issued")).toEqual([{ kid: first }, { kid: second }]);
  expect([await verdict(old.token), await verdict(young.token)]).toEqual(["ok", "ok"]);
  expect(await alarmAt()).toBe(Date.now() + KEPT);

  pass(KEPT - 1);
  await alarm();
  expect(kids(await told())).toEqual([second, third, first]);
  pass(1);
  await alarm();
  expect(kids(await told())).toEqual([second, third]);
  expect(await verdict(old.token)).toBe("authn.token.expired");

  // Publishing the remaining keys anew has not made the next one any younger.
  expect(kids(await authority().rotate())[0]).toBe(third);
});

test("an instance that has signed before signs with the new key after a rotation", async () => {
  const [current, next] = kids(await authority().keys());
  const before = await authority().issue(REQUEST);
  pass(MINUTE);
  await authority().rotate();
  const after = await authority().issue(REQUEST);
  const tokens = [before, after].map((outcome) => (outcome.ok ? outcome.value.token : ""));
  expect(tokens.map((token) => decodeProtectedHeader(token).kid)).toEqual([current, next]);
  expect(await Promise.all(tokens.map(verdict))).toEqual(["ok", "ok"]);
});

test("rotations in a row keep every key whose tokens may still be valid", async () => {
  const tokens: string[] = [];
  for (let rotation = 0; rotation < 4; rotation += 1) {
    tokens.push((await issue({ ttlSeconds: 3600 })).token);
    pass(MINUTE);
    await evict();
    await authority().rotate();
  }
  expect(await told()).toHaveLength(6);
  expect(await Promise.all(tokens.map(verdict))).toEqual(["ok", "ok", "ok", "ok"]);
});

test("a rotation asked for too early waits until the next key is known for a minute", async () => {
  const before = kids(await authority().keys());
  pass(MINUTE - 1);
  expect(kids(await authority().rotate())).toEqual(before);
  expect(await alarmAt()).toBe(Date.now() + 1);
  expect(kids(await authority().rotate())).toEqual(before);
  pass(1);
  await alarm();
  const after = kids(await told());
  expect([after[0], after[2]]).toEqual([before[1], before[0]]);
  pass(MINUTE);
  await alarm();
  expect(kids(await told())).toEqual(after);
});

test("fifty at once rotate once", async () => {
  const before = kids(await authority().keys());
  pass(MINUTE);
  await runInDurableObject(stub(), (instance) =>
    Promise.all(Array.from({ length: 50 }, () => instance.rotate())),
  );
  const after = kids(await authority().keys());
  expect(after).toHaveLength(3);
  expect([after[0], after[2]]).toEqual([before[1], before[0]]);
});

test("keys rotate by themselves once a day", async () => {
  const before = kids(await authority().keys());
  expect(await alarmAt()).toBe(Date.now() + DAY);
  pass(DAY - 1);
  await alarm();
  expect(kids(await told())).toEqual(before);
  pass(1);
  await alarm();
  expect(kids(await told())[0]).toBe(before[1]);
  expect(await told()).toHaveLength(3);
});

test("a lost alarm is set again by the next token", async () => {
  await authority().keys();
  await runInDurableObject(stub(), (_, state) => state.storage.deleteAlarm());
  await issue();
  expect(await alarmAt()).toBe(Date.now() + DAY);
});

test("while the registry cannot be reached no unpublished key comes to sign", async () => {
  await told();
  await breakRegistry();
  const before = kids(await authority().keys());
  await issue();
  expect(await alarmAt()).toBe(Date.now() + 5000);
  pass(2 * DAY);
  await evict();
  expect(kids(await authority().rotate())).toEqual(before);
  await alarm();
  expect(kids(await authority().keys())).toEqual(before);

  await mendRegistry();
  await alarm();
  expect(kids(await told())).toEqual(before);
  expect(await alarmAt()).toBe(Date.now() + MINUTE);
  pass(MINUTE);
  await alarm();
  expect(kids(await told())[0]).toBe(before[1]);
});

test("the audit forgets a token thirty days after it has expired", async () => {
  const { id } = await issue();
  pass(30 * DAY + 299_000);
  await alarm();
  expect(await rows("SELECT id FROM issued")).toEqual([{ id }]);
  pass(1000);
  await alarm();
  expect(await rows("SELECT id FROM issued")).toEqual([]);
});

test("what is issued for long keeps later lines in the audit: it loses none from its middle", async () => {
  const outcome = await authority().issue({ ...REQUEST, ttlSeconds: 3_600 });
  const { id: short } = await issue();
  expect(outcome).toMatchObject({ ok: true });
  pass(30 * DAY + 300_000);
  await alarm();
  expect(await rows("SELECT serial FROM issued ORDER BY serial")).toEqual([{ serial: 1 }, { serial: 2 }]);
  expect(await rows("SELECT serial FROM issued WHERE id = '" + short + "'")).toEqual([{ serial: 2 }]);
  pass(3_300_000);
  await alarm();
  expect(await rows("SELECT serial FROM issued")).toEqual([]);
});

test("the audit is bounded: the oldest line goes first", async () => {
  await issue();
  const second = await issue();
  await runInDurableObject(stub(), (_, state) => {
    state.storage.sql.exec("UPDATE chain SET head = 1000000");
  });
  const third = await issue();
  expect(await rows("SELECT id FROM issued ORDER BY serial")).toEqual([{ id: second.id }, { id: third.id }]);
});
