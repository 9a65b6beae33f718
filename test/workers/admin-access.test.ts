import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env as bindings } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { tokenId } from "../../durable-objects/admin-token.ts";
import { ask, env, TOKEN } from "./admin-kit.ts";

const granted = z.object({ token: z.string(), id: z.string() });

async function grant(name: string, role: string, namespaces?: readonly string[]) {
  const answer = await ask("/api/v1/access", { method: "POST", json: { name, role, namespaces } });
  return granted.parse(answer.body);
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

function service(namespace: string, name = "web") {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace },
    spec: { ports: [{ port: 80 }], selector: { app: name } },
  };
}

const tokens: Record<string, string> = { admin: TOKEN };

beforeAll(async () => {
  const documents = [service("a"), service("b"), service("a", "other")];
  expect((await ask("/api/v1/apply", { method: "POST", json: { documents } })).status).toBe(200);
  tokens["viewer"] = (await grant("all", "viewer")).token;
  tokens["viewer of a"] = (await grant("a-viewer", "viewer", ["a"])).token;
  tokens["editor of a"] = (await grant("a-editor", "editor", ["a"])).token;
});

const apply = (...documents: unknown[]) => ({ method: "POST", json: { documents } });
const remove = (namespace: string) => ({
  method: "POST",
  json: { refs: [{ apiVersion: "v1", kind: "Service", namespace, name: "nobody" }] },
});
const registering = (address: string) => ({ method: "PUT", json: { address } });
const register = registering("https://web.example");
const NAMESPACE = { apiVersion: "v1", kind: "Namespace", metadata: { name: "c" } };

/** What each may do: the status of the operation for admin, viewer, viewer of a, editor of a. */
test.each<[string, string, Parameters<typeof ask>[1], readonly number[]]>([
  ["apply in its own namespace", "/api/v1/apply", apply(service("a")), [200, 403, 403, 200]],
  ["apply in another's", "/api/v1/apply", apply(service("b")), [200, 403, 403, 403]],
  ["apply in both", "/api/v1/apply", apply(service("a"), service("b")), [200, 403, 403, 403]],
  ["apply what has no namespace", "/api/v1/apply", apply(NAMESPACE), [200, 403, 403, 403]],
  ["apply for the whole mesh", "/api/v1/apply", apply(service("selvedge-system")), [200, 403, 403, 403]],
  ["read its own", "/api/v1/resources/Service/a/web", {}, [200, 200, 200, 200]],
  ["read another's", "/api/v1/resources/Service/b/web", {}, [200, 200, 403, 403]],
  ["read another's, spelled otherwise", "/api/v1/resources/Service/%62/web", {}, [200, 200, 403, 403]],
  ["list another's", "/api/v1/resources?namespace=b", {}, [200, 200, 403, 403]],
  ["see another's service", "/api/v1/services/b/web", {}, [200, 200, 403, 403]],
  ["list another's services", "/api/v1/services?namespace=b", {}, [200, 200, 403, 403]],
  ["delete many of its own", "/api/v1/delete", remove("a"), [404, 403, 403, 404]],
  ["delete many of another", "/api/v1/delete", remove("b"), [404, 403, 403, 403]],
  ["delete another's", "/api/v1/resources/Service/b/none", { method: "DELETE" }, [404, 403, 403, 403]],
  ["register with its own", "/api/v1/services/a/web/endpoints/x", register, [200, 403, 403, 200]],
  ["register with another's", "/api/v1/services/b/web/endpoints/x", register, [200, 403, 403, 403]],
  [
    "register a binding of the mesh's Worker",
    "/api/v1/services/a/web/endpoints/y",
    registering("binding:CART"),
    [200, 403, 403, 403],
  ],
  [
    "register a dispatched Worker",
    "/api/v1/services/a/web/endpoints/y",
    registering("dispatch:cart"),
    [200, 403, 403, 403],
  ],
  [
    "be its own workload",
    "/api/v1/tokens",
    { method: "POST", json: { workload: "a/web" } },
    [200, 403, 403, 200],
  ],
  [
    "be another's workload",
    "/api/v1/tokens",
    { method: "POST", json: { workload: "b/web" } },
    [200, 403, 403, 403],
  ],
  ["roll back", "/api/v1/rollback", { method: "POST", json: { revision: 999 } }, [404, 403, 403, 403]],
  ["see the status", "/api/v1/status", {}, [200, 200, 200, 200]],
  ["see metrics", "/metrics", {}, [200, 200, 403, 403]],
  ["see the audit log", "/api/v1/audit", {}, [200, 200, 403, 403]],
  ["see tokens", "/api/v1/access", {}, [200, 403, 403, 403]],
  [
    "grant access",
    "/api/v1/access",
    { method: "POST", json: { name: "Bad Name", role: "admin" } },
    [422, 403, 403, 403],
  ],
  ["end access", "/api/v1/access/000000000000", { method: "DELETE" }, [404, 403, 403, 403]],
  ["ask who it is", "/api/v1/principal", {}, [200, 200, 200, 200]],
  ["ask for what does not exist", "/nowhere", {}, [404, 404, 404, 404]],
])("who may %s", async (_, path, asked, expected) => {
  const statuses: number[] = [];
  for (const name of ["admin", "viewer", "viewer of a", "editor of a"]) {
    const answer = await ask(path, { ...asked, ...bearer(tokens[name] ?? "") });
    statuses.push(answer.status);
  }
  expect(statuses).toEqual(expected);
});

describe("what is not one's own", () => {
  const items = z.object({
    items: z.array(
      z.object({ namespace: z.string(), metadata: z.object({ namespace: z.string() }) }).partial(),
    ),
  });

  test.each(["/api/v1/resources", "/api/v1/services"])("%s leaves it out", async (path) => {
    const { body } = await ask(path, bearer(tokens["editor of a"] ?? ""));
    const namespaces = items.parse(body).items.map((item) => item.namespace ?? item.metadata?.namespace);
    expect([...new Set(namespaces)].filter((namespace) => namespace !== "")).toEqual(["a"]);
  });

  test("revisions leave its changes out", async () => {
    const { body } = await ask("/api/v1/revisions", bearer(tokens["editor of a"] ?? ""));
    const changes = z
      .object({
        items: z.array(
          z.object({ changes: z.array(z.object({ ref: z.object({ namespace: z.string() }) })) }),
        ),
      })
      .parse(body)
      .items.flatMap((revision) => revision.changes.map(({ ref }) => ref.namespace));
    expect(new Set(changes)).toEqual(new Set(["", "a"]));
  });

  test("revisions tell nothing of what changed elsewhere only, nor from where", async () => {
    const headers = { "cf-connecting-ip": "192.0.2.7" };
    await ask("/api/v1/apply", { ...apply(service("b", "secret")), headers });
    const { body } = await ask("/api/v1/revisions?limit=1", bearer(tokens["editor of a"] ?? ""));
    expect(body).toMatchObject({ items: [{ changes: [expect.anything()] }] });
    expect(JSON.stringify(body)).not.toMatch(/"b"|192\.0\.2\.7/);
    const all = await ask("/api/v1/revisions?limit=1");
    expect(all.body).toMatchObject({ items: [{ author: "admin" }] });
    expect(JSON.stringify(all.body)).not.toContain("192.0.2.7");
  });

  test("what changes elsewhere does not push its revisions out of an answer", async () => {
    for (const port of [1, 2, 3]) await ask("/api/v1/apply", apply(service("b", `noise-${port}`)));
    const own = z.object({ items: z.array(z.object({ revision: z.int() })) });
    const seen = async (query: string) => {
      const { body } = await ask(`/api/v1/revisions?${query}`, bearer(tokens["editor of a"] ?? ""));
      return own.parse(body).items.map(({ revision }) => revision);
    };
    const all = await seen("limit=50");
    expect(all.length).toBeGreaterThan(1);
    expect(await seen("limit=1")).toEqual(all.slice(0, 1));
    expect(await seen(`limit=50&before=${all[0]}`)).toEqual(all.slice(1));
  });

  test("however much one change is, the audit log tells of it and of those before", async () => {
    const documents = Array.from({ length: 21 }, (_, index) => service("b", `many-${index}`));
    await ask("/api/v1/apply", { method: "POST", json: { documents } });
    const { body } = await ask("/api/v1/audit?limit=2");
    const log = z.object({ items: z.array(z.object({ target: z.string() })) }).parse(body);
    expect(log.items.map(({ target }) => target.split(", ").length)).toEqual([21, expect.any(Number)]);
    expect(log.items[0]?.target).toMatch(/^created Service b\/many-0, .*, …$/);
  });

  test("an owner registers the binding that is theirs", async () => {
    const asked = { ...registering("binding:CART"), ...bearer(tokens["editor of a"] ?? "") };
    const owning = { ...env, SELVEDGE_BINDING_NAMESPACES: '{"CART": ["a"]}' };
    const path = "/api/v1/services/a/web/endpoints/own";
    expect((await ask(path, { ...asked, env: owning })).status).toBe(200);
  });

  test("pruning leaves it alone", async () => {
    const asked = { method: "POST", json: { documents: [service("a")], prune: true } };
    const answer = await ask("/api/v1/apply", { ...asked, ...bearer(tokens["editor of a"] ?? "") });
    expect(answer.body).toMatchObject({
      changes: expect.arrayContaining([
        { ref: expect.objectContaining({ namespace: "a", name: "other" }), change: "deleted" },
      ]),
    });
    expect((await ask("/api/v1/resources/Service/b/web")).status).toBe(200);
  });
});

describe("a token", () => {
  test("has a form that tells its id and typing errors", async () => {
    const { token, id } = await grant("form", "viewer");
    expect(token).toMatch(/^slv_[0-9a-f]{12}_[0-9a-f]{56}$/);
    expect(tokenId(token)).toBe(id);
    expect(tokenId(`${token.slice(0, -1)}${token.endsWith("0") ? "1" : "0"}`)).toBe(null);
  });

  test("is kept as a hash only, and survives its object", async () => {
    const { token } = await grant("kept", "viewer");
    const stub = bindings.ADMIN.getByName("mesh");
    const stored = await runInDurableObject(stub, (_, { storage }) =>
      JSON.stringify([...storage.sql.exec("SELECT * FROM tokens")]),
    );
    expect(stored).not.toContain(token);
    expect(stored).not.toContain(token.slice(17));
    await evictDurableObject(stub);
    expect((await ask("/api/v1/principal", bearer(token))).body).toEqual({
      id: "token/kept",
      role: "viewer",
      namespaces: null,
    });
  });

  test("of the right form that was never granted is refused", async () => {
    const { token, id } = await grant("other", "viewer");
    await ask(`/api/v1/access/${id}`, { method: "DELETE" });
    expect((await ask("/api/v1/principal", bearer(token))).status).toBe(401);
  });

  test("ends when it expires", async () => {
    const { token, id } = await grant("short", "viewer");
    await runInDurableObject(bindings.ADMIN.getByName("mesh"), (_, { storage }) => {
      storage.sql.exec("UPDATE tokens SET expires_at = ? WHERE id = ?", Date.now() - 1, id);
    });
    expect((await ask("/api/v1/principal", bearer(token))).status).toBe(401);
  });

  test.each([
    [{ name: "a-viewer", role: "viewer" }, 409],
    [{ name: "x", role: "editor" }, 422],
    [{ name: "x", role: "admin", namespaces: ["a"] }, 422],
    [{ name: "x", role: "owner" }, 422],
    [{ name: "x", role: "viewer", ttlSeconds: 59 }, 422],
    [{ name: "x", role: "viewer", ttlSeconds: 400 * 86_400 }, 422],
  ])("is not granted as %j", async (json, status) => {
    expect((await ask("/api/v1/access", { method: "POST", json })).status).toBe(status);
  });
});

test("the audit log has who, what and how to see more, newest first", async () => {
  const { id } = await grant("audited", "editor", ["a"]);
  await ask("/api/v1/apply", {
    ...apply(service("a", "audited")),
    headers: { authorization: `Bearer ${tokens["editor of a"]}`, "x-request-id": "r-1" },
  });
  await ask(`/api/v1/access/${id}`, { method: "DELETE" });
  const { body } = await ask("/api/v1/audit?limit=3");
  expect(body).toMatchObject({
    items: [
      { principal: "admin", action: "token.revoke", target: "audited" },
      {
        principal: "token/a-editor",
        action: "apply",
        target: "created Service a/audited",
        requestId: "r-1",
        detail: expect.stringMatching(/^revision \d+$/),
      },
      { principal: "admin", action: "token.grant", target: "audited", detail: "editor of a" },
    ],
  });
});

const from = (address: string, token: string) =>
  ask("/api/v1/status", { headers: { authorization: `Bearer ${token}`, "cf-connecting-ip": address } });

test("an address that fails too often is turned away, whatever it brings then", async () => {
  const statuses: number[] = [];
  for (let failure = 0; failure < 11; failure += 1)
    statuses.push((await from(`2001:db8:1:2::${failure}`, `wrong-${failure}`)).status);
  expect(statuses).toEqual([...Array.from({ length: 10 }, () => 401), 429]);
  const blocked = await from("2001:db8:1:2::ffff", TOKEN);
  expect([blocked.status, Number(blocked.headers.get("retry-after")) > 0]).toEqual([429, true]);
  expect((await from("2001:db8:1:3::1", TOKEN)).status).toBe(200);
});
