import "reflect-metadata";
import { env as bindings } from "cloudflare:workers";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { auditChain, type AuditLog } from "../../shared/wire/audit-chain.ts";
import { makeRequest } from "../identity/requests.ts";
import { makeUpstream } from "../identity/upstreams.ts";
import { ask, env, TOKEN, type Asked } from "./admin-kit.ts";

type Line = Record<string, unknown>;

/** The lines of a log after a number. */
async function read(log: AuditLog, after = 0): Promise<Line[]> {
  const { body } = await ask(`/api/v1/audit/chain?log=${log}&after=${after}`);
  return auditChain.parse(body).lines.map(({ content }) => JSON.parse(content));
}

async function headOf(log: AuditLog): Promise<number> {
  return auditChain.parse((await ask(`/api/v1/audit/chain?log=${log}&limit=1`)).body).head.number;
}

const SERVICE = { apiVersion: "v1", kind: "Service" };
const document = {
  ...SERVICE,
  metadata: { name: "web", namespace: "shop" },
  spec: { ports: [{ port: 80 }], selector: { app: "web" } },
};
const ENDPOINT = "/api/v1/services/shop/web/endpoints/a";
const DELETED = { ...SERVICE, namespace: "shop", name: "web" };

const secret = z.object({ id: z.string(), token: z.string() });
const { csr } = await makeRequest();
const upstream = await makeUpstream({ now: Date.now(), trustDomain: env.SELVEDGE_TRUST_DOMAIN });

const post = (json: unknown): Asked => ({ method: "POST", json });

async function made(path: string, json: object): Promise<z.infer<typeof secret>> {
  return secret.parse((await ask(path, post(json))).body);
}

/** An operation that changes something: how to ask for it, and the line that must follow. */
interface Change {
  readonly log: AuditLog;
  readonly line: Line;
  ask(): readonly [path: string, asked: Asked] | Promise<readonly [path: string, asked: Asked]>;
}

const operation = (action: string, target: unknown = expect.any(String)) => ({
  log: "operations" as const,
  line: { principal: "admin", action, target },
});
const revision = (reason: unknown) => ({
  log: "configuration" as const,
  line: { author: "admin", reason, via: { address: "", requestId: expect.any(String) } },
});
const issuance = (kind: string, requester: unknown = "admin") => ({
  log: "issuance" as const,
  line: { kind, requester, subject: `spiffe://${env.SELVEDGE_TRUST_DOMAIN}/ns/shop/sa/web` },
});

/** By operation id, in an order in which each finds what it needs. */
const CHANGES: Readonly<Record<string, Change>> = {
  apply: { ...revision("apply"), ask: () => ["/api/v1/apply", post({ documents: [document] })] },
  deleteResource: {
    ...revision("delete"),
    ask: () => ["/api/v1/resources/Service/shop/web", { method: "DELETE" }],
  },
  rollback: { ...revision("rollback to 1"), ask: () => ["/api/v1/rollback", post({ revision: 1 })] },
  deleteResources: { ...revision("delete"), ask: () => ["/api/v1/delete", post({ refs: [DELETED] })] },
  registerEndpoint: {
    ...operation("endpoint.register", "shop/web/a"),
    ask: () => [ENDPOINT, { method: "PUT", json: { address: "https://a.example" } }],
  },
  drainEndpoint: {
    ...operation("endpoint.drain", "shop/web/a"),
    ask: () => [`${ENDPOINT}/drain`, { method: "POST" }],
  },
  deregisterEndpoint: {
    ...operation("endpoint.deregister", "shop/web/a"),
    ask: () => [ENDPOINT, { method: "DELETE" }],
  },
  issueToken: { ...issuance("jwt-svid"), ask: () => ["/api/v1/tokens", post({ workload: "shop/web" })] },
  issueCertificate: {
    ...issuance("x509-svid"),
    ask: () => ["/api/v1/ca/certificates", post({ workload: "shop/web", csr })],
  },
  createJoinToken: {
    ...operation("join-token.create"),
    ask: () => ["/api/v1/join-tokens", post({ scope: "shop/web" })],
  },
  deleteJoinToken: {
    ...operation("join-token.delete"),
    async ask() {
      const { id } = await made("/api/v1/join-tokens", { scope: "shop/web" });
      return [`/api/v1/join-tokens/${id}`, { method: "DELETE" }];
    },
  },
  join: {
    ...issuance("x509-svid", expect.stringMatching(/^join-token\/[0-9a-f]{12} by admin$/)),
    async ask() {
      const { token } = await made("/api/v1/join-tokens", { scope: "shop/web" });
      return ["/api/v1/join", post({ joinToken: token, csr })];
    },
  },
  rotateAuthority: {
    ...operation("ca.rotate", "intermediate"),
    ask: () => ["/api/v1/ca/rotate", post({ what: "intermediate" })],
  },
  loadIntermediate: {
    ...operation("ca.load"),
    ask: () => ["/api/v1/ca/load", post(upstream.documents)],
  },
  revoke: {
    ...operation("ca.revoke", `identity spiffe://${env.SELVEDGE_TRUST_DOMAIN}/ns/shop/sa/web`),
    ask: () => ["/api/v1/ca/revocations", post({ kind: "identity", value: "shop/web", reason: "test" })],
  },
  grantAccess: {
    ...operation("token.grant", "ci"),
    ask: () => ["/api/v1/access", post({ name: "ci", role: "viewer" })],
  },
  revokeAccess: {
    ...operation("token.revoke", "gone"),
    async ask() {
      const { id } = await made("/api/v1/access", { name: "gone", role: "viewer" });
      return [`/api/v1/access/${id}`, { method: "DELETE" }];
    },
  },
};

/** Operations by another method than GET that change nothing an operator would look for: questions, and the beats of a lease. */
const UNTOLD = ["beatEndpoint", "checkAccess", "explain", "simulate"];

const described = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ operationId: z.string() }))),
});

test("every operation that changes something is known to the tests below", async () => {
  const { paths } = described.parse((await ask("/api/v1/openapi.json")).body);
  const ids = Object.values(paths).flatMap((methods) =>
    Object.entries(methods).flatMap(([method, { operationId }]) => (method === "get" ? [] : [operationId])),
  );
  expect(ids.sort()).toEqual([...Object.keys(CHANGES), ...UNTOLD].sort());
});

test.each(Object.entries(CHANGES))("%s leaves a line in a log", async (_, change) => {
  const [path, asked] = await change.ask();
  const before = await headOf(change.log);
  expect((await ask(path, asked)).status).toBe(200);
  expect(await read(change.log, before)).toEqual([expect.objectContaining(change.line)]);
});

test("registering again without a change leaves none: agents do so whenever they start", async () => {
  const register = (address: string) => ask(ENDPOINT, { method: "PUT", json: { address } });
  await register("https://b.example");
  const before = await headOf("operations");
  await register("https://b.example");
  await ask(`${ENDPOINT}/heartbeat`, { method: "POST" });
  expect(await read("operations", before)).toEqual([]);
  await register("https://c.example");
  expect(await read("operations", before)).toMatchObject([
    { action: "endpoint.register", detail: "https://c.example" },
  ]);
});

test("the log and the list say the same of a line", async () => {
  const before = await headOf("operations");
  await made("/api/v1/access", { name: "listed", role: "viewer" });
  const [line] = auditChain.parse(
    (await ask(`/api/v1/audit/chain?log=operations&after=${before}`)).body,
  ).lines;
  expect((await ask("/api/v1/audit?limit=1")).body).toEqual({
    items: [{ ...JSON.parse(line?.content ?? ""), hash: line?.hash }],
  });
});

test.each([
  ["/api/v1/audit/chain", 400],
  ["/api/v1/audit/chain?log=other", 400],
  ["/api/v1/audit/chain?log=issuance&after=-1", 400],
  ["/api/v1/audit/chain?log=issuance&limit=0", 400],
  ["/api/v1/audit/chain?log=issuance&limit=1001", 400],
])("%s is answered by %i", async (path, status) => {
  expect((await ask(path)).status).toBe(status);
});

test("a viewer of everything may list the log, and only an admin read its chain", async () => {
  const { token } = await made("/api/v1/access", { name: "auditor", role: "viewer" });
  const headers = { authorization: `Bearer ${token}` };
  expect((await ask("/api/v1/audit", { headers })).status).toBe(200);
  expect((await ask("/api/v1/audit/chain?log=operations", { headers })).status).toBe(403);
});

/** Asks with the bootstrap token. */
function use(address: string) {
  return ask("/api/v1/status", { headers: { "cf-connecting-ip": address } });
}

/** Asks with a token that nobody knows. */
function guess(address: string) {
  return ask("/api/v1/status", { headers: { authorization: "Bearer wrong", "cf-connecting-ip": address } });
}

const stub = () => bindings.ADMIN.getByName("mesh");

describe("the bootstrap token", () => {
  test("leaves a line for each address, before what is done with it, and no more for an hour", async () => {
    const before = await headOf("operations");
    await ask("/api/v1/access", {
      ...post({ name: "emergency", role: "admin" }),
      headers: { "cf-connecting-ip": "192.0.2.7" },
    });
    await use("192.0.2.7");
    await use("192.0.2.8");
    const common = { principal: "admin", action: "break-glass", detail: "bootstrap token" };
    expect(await read("operations", before)).toMatchObject([
      { ...common, address: "192.0.2.7", target: "POST /api/v1/access" },
      { action: "token.grant", address: "192.0.2.7" },
      { ...common, address: "192.0.2.8", target: "GET /api/v1/status" },
    ]);
  });

  test("is told once by all isolates, and again after an hour", async () => {
    const event = { ...EVENT, principal: "admin", address: "192.0.2.9" };
    const before = await headOf("operations");
    await stub().breakGlass(event);
    await evictDurableObject(stub());
    await stub().breakGlass(event);
    expect(await read("operations", before)).toHaveLength(1);
    await runInDurableObject(stub(), (_, { storage }) => {
      storage.sql.exec("UPDATE audit SET at = at - 3600001 WHERE address = '192.0.2.9'");
    });
    await stub().breakGlass(event);
    expect(await read("operations", before)).toHaveLength(2);
  });

  test("works while its use cannot be written down, and the Worker's own log has it", async () => {
    await runInDurableObject(stub(), (_, { storage }) => {
      storage.sql.exec("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END");
    });
    const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
    expect((await use("192.0.2.10")).status).toBe(200);
    const told = error.mock.calls.map(([text]) => JSON.parse(String(text)));
    error.mockRestore();
    await runInDurableObject(stub(), (_, { storage }) => void storage.sql.exec("DROP TRIGGER full"));
    expect(told).toMatchObject([{ at: "break-glass", address: "192.0.2.10", target: "GET /api/v1/status" }]);
    const before = await headOf("operations");
    await use("192.0.2.10");
    expect(await read("operations", before)).toMatchObject([{ action: "break-glass" }]);
  });
});

const EVENT = { principal: "anonymous", address: "", requestId: "r", action: "x", target: "t", detail: "" };

describe("who fails to authenticate", () => {
  test("leaves a line at first and one when it is turned away", async () => {
    const before = await headOf("operations");
    for (let failure = 0; failure < 12; failure += 1) await guess("203.0.113.1");
    expect(await read("operations", before)).toMatchObject([
      { principal: "anonymous", action: "authentication.failed", target: "203.0.113.1" },
      { principal: "anonymous", action: "authentication.blocked", target: "203.0.113.1" },
    ]);
  });

  test("cannot wash out the log: a hundred lines an hour, of which the last says that there were more", async () => {
    await runInDurableObject(stub(), (_, { storage }) => {
      storage.sql.exec("UPDATE audit SET at = at - 3600001 WHERE principal = 'anonymous'");
    });
    const before = await headOf("operations");
    for (let source = 0; source < 150; source += 1) {
      const address = `198.51.100.${source}`;
      await stub().strike(address, { ...EVENT, address });
    }
    const lines = await read("operations", before);
    expect(lines.map(({ action }) => action)).toEqual([
      ...Array.from({ length: 99 }, () => "authentication.failed"),
      "authentication.flood",
    ]);
  });
});

beforeAll(async () => {
  // The first use of the token by this isolate: its line is not among those that tests count.
  expect((await ask("/api/v1/status", { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200);
});
