import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { registryOf } from "../../durable-objects/env.ts";
import {
  applyAnswer,
  diffAnswer,
  issuedToken,
  keySet,
  lease,
  meshStatus,
  problemDocument,
  resource,
  resourceList,
  revisionList,
  serviceList,
  serviceStatus,
} from "../../shared/wire/admin.ts";
import { ask } from "./admin-kit.ts";

afterEach(reset);

const NAMESPACE = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };

function service(name: string, port = 80): object {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ name: "http", port }] },
  };
}

function endpoint(name: string, app: string): object {
  const labels = { app, version: "v1" };
  return {
    apiVersion: "selvedge.dev/v1",
    kind: "Endpoint",
    metadata: { name, labels },
    spec: { address: "https://origin.example.com" },
  };
}

const REVIEWS = { apiVersion: "v1", kind: "Service", namespace: "shop", name: "reviews" };

function apply(documents: readonly unknown[], more: object = {}) {
  return ask("/api/v1/apply", { method: "POST", json: { documents, defaultNamespace: "shop", ...more } });
}

describe("resources", () => {
  test("are applied, listed, read and deleted", async () => {
    const applied = await apply([NAMESPACE, service("reviews"), endpoint("reviews-v1", "reviews")]);
    expect(applied.status).toBe(200);
    const { revision, changes } = applyAnswer.parse(applied.body);
    expect(revision).toBe(1);
    expect(
      changes.map(({ ref, change }) => `${ref.kind} ${ref.namespace}/${ref.name} ${change}`).sort(),
    ).toEqual([
      "Endpoint shop/reviews-v1 created",
      "Namespace /shop created",
      "Service shop/reviews created",
    ]);

    const listed = resourceList.parse((await ask("/api/v1/resources?kind=svc&namespace=shop")).body);
    expect(listed.items.map(({ metadata }) => metadata.name)).toEqual(["reviews"]);
    const all = resourceList.parse((await ask("/api/v1/resources")).body);
    expect(all.items.length).toBe(3);

    const read = await ask("/api/v1/resources/Service/shop/reviews");
    expect(resource.parse(read.body)).toEqual(listed.items[0]);
    const global = resource.parse((await ask("/api/v1/resources/ns/-/shop")).body);
    expect(global.metadata.namespace).toBe("");

    const deleted = await ask("/api/v1/resources/services/shop/reviews", { method: "DELETE" });
    expect(applyAnswer.parse(deleted.body)).toMatchObject({
      revision: 2,
      changes: [{ ref: REVIEWS, change: "deleted" }],
    });
    expect((await ask("/api/v1/resources/Service/shop/reviews")).body).toMatchObject({
      status: 404,
      code: "resource.not_found",
    });
  });

  test("are deleted together or not at all", async () => {
    await apply([NAMESPACE, service("reviews")]);
    const missing = { ...REVIEWS, name: "ratings" };
    const refused = await ask("/api/v1/delete", { method: "POST", json: { refs: [REVIEWS, missing] } });
    expect(refused.body).toMatchObject({ status: 404, code: "resource.not_found" });
    expect((await ask("/api/v1/resources/Service/shop/reviews")).status).toBe(200);

    const deleted = await ask("/api/v1/delete", { method: "POST", json: { refs: [REVIEWS] } });
    expect(applyAnswer.parse(deleted.body).changes).toEqual([{ ref: REVIEWS, change: "deleted" }]);
  });

  test("are not changed by a dry run, nor on another revision than the expected one", async () => {
    const dry = await apply([NAMESPACE, service("reviews")], { dryRun: true });
    expect(applyAnswer.parse(dry.body)).toMatchObject({ revision: 0, changes: [{}, {}] });
    const stale = await apply([NAMESPACE], { ifRevision: 7 });
    expect(stale.body).toMatchObject({ status: 412, code: "config.revision" });
    expect(await ask("/api/v1/resources")).toMatchObject({ body: { items: [] } });
    expect((await apply([NAMESPACE], { ifRevision: 0 })).status).toBe(200);
  });

  test("are refused with every invalid field of every document", async () => {
    const answer = await apply([
      { ...service("reviews"), spec: { ports: [{ port: 0 }], selectors: {} } },
      { apiVersion: "v1", kind: "Pod", metadata: { name: "p" } },
    ]);
    expect(answer.body).toMatchObject({ status: 422, code: "config.invalid" });
    const fields = problemDocument.parse(answer.body).fields ?? [];
    expect(fields.length).toBeGreaterThanOrEqual(3);
    expect(fields.map(({ path }) => path).join("\n")).toMatch(
      /Service shop\/reviews: spec\.ports\[0\]\.port/,
    );
  });
});

describe("revisions", () => {
  test("are listed, compared and restored", async () => {
    await apply([NAMESPACE, service("reviews", 80)]);
    await apply([service("reviews", 81)]);

    const { items } = revisionList.parse((await ask("/api/v1/revisions?limit=1")).body);
    expect(items).toMatchObject([
      { revision: 2, author: "admin", reason: "apply", changes: [{ ref: REVIEWS, change: "configured" }] },
    ]);

    const forward = diffAnswer.parse((await ask("/api/v1/diff?from=1")).body);
    expect(forward).toMatchObject({
      from: 1,
      to: 2,
      differences: [
        {
          ref: REVIEWS,
          before: { spec: { ports: [{ port: 80 }] } },
          after: { spec: { ports: [{ port: 81 }] } },
        },
      ],
    });
    const backward = diffAnswer.parse((await ask("/api/v1/diff?from=2&to=1")).body);
    expect(backward.differences[0]?.before).toEqual(forward.differences[0]?.after);

    const restored = await ask("/api/v1/rollback", { method: "POST", json: { revision: 1 } });
    expect(applyAnswer.parse(restored.body)).toMatchObject({ revision: 3 });
    expect(diffAnswer.parse((await ask("/api/v1/diff?from=1&to=3")).body).differences).toEqual([]);
  });

  test("that do not exist are neither compared nor restored", async () => {
    const answers = await Promise.all([
      ask("/api/v1/diff?from=1&to=9"),
      ask("/api/v1/rollback", { method: "POST", json: { revision: 9 } }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([404, 404]);
  });
});

describe("services", () => {
  test("are listed and read with their endpoints", async () => {
    await apply([NAMESPACE, service("reviews"), service("ratings"), endpoint("reviews-v1", "reviews")]);
    const { items } = serviceList.parse((await ask("/api/v1/services?namespace=shop")).body);
    expect(items.map(({ name }) => name).sort()).toEqual(["ratings", "reviews"]);
    expect(serviceList.parse((await ask("/api/v1/services")).body).items.length).toBe(2);
    expect(serviceList.parse((await ask("/api/v1/services?namespace=other")).body).items).toEqual([]);

    const read = serviceStatus.parse((await ask("/api/v1/services/shop/reviews")).body);
    expect(read).toEqual({
      namespace: "shop",
      name: "reviews",
      ports: [{ name: "http", port: 80 }],
      endpoints: [
        {
          id: "reviews-v1",
          address: "https://origin.example.com",
          version: "v1",
          weight: 1,
          health: "healthy",
          isEjected: false,
          source: "declared",
        },
      ],
    });
    expect((await ask("/api/v1/services/shop/nothing")).status).toBe(404);
  });

  test("take endpoints that register, beat and leave", async () => {
    await apply([NAMESPACE, service("reviews")]);
    const path = "/api/v1/services/shop/reviews/endpoints/vm-1";
    const json = {
      address: "https://vm-1.example.com:8443",
      labels: { version: "v2" },
      locality: "eu/eu-a",
      ttlSeconds: 60,
    };

    const registered = lease.parse((await ask(path, { method: "PUT", json })).body);
    expect(registered).toMatchObject({ id: "vm-1", heartbeatEveryMs: 20_000 });
    const beaten = lease.parse((await ask(`${path}/heartbeat`, { method: "POST" })).body);
    expect(beaten.expiresAt).toBeGreaterThanOrEqual(registered.expiresAt);
    const during = serviceStatus.parse((await ask("/api/v1/services/shop/reviews")).body);
    expect(during.endpoints).toMatchObject([{ id: "vm-1", version: "v2", source: "registered" }]);
    const { units } = await registryOf(env).sync({ version: 0, held: [], wanted: ["service:shop/reviews"] });
    expect(JSON.stringify(units)).toContain('"locality":{"region":"eu","zone":"eu-a"}');
    lease.parse((await ask(`${path}/drain`, { method: "POST" })).body);
    const drained = serviceStatus.parse((await ask("/api/v1/services/shop/reviews")).body);
    expect(drained.endpoints).toMatchObject([{ id: "vm-1", health: "draining" }]);

    expect((await ask(path, { method: "DELETE" })).status).toBe(200);
    const after = serviceStatus.parse((await ask("/api/v1/services/shop/reviews")).body);
    expect(after.endpoints).toEqual([]);
    expect((await ask(`${path}/heartbeat`, { method: "POST" })).body).toMatchObject({
      status: 404,
      code: "resource.not_found",
    });
  });

  test.each([
    ["a lease too short", { address: "https://vm.example.com", ttlSeconds: 4 }, "ttlSeconds"],
    ["a weight of none", { address: "https://vm.example.com", weight: 0 }, "weight"],
    ["no address", {}, "address"],
    ["a private address", { address: "http://169.254.169.254" }, "address"],
    ["a place that is none", { address: "https://vm.example.com", locality: "here and there" }, "locality"],
  ])("do not take an endpoint with %s", async (_, json, path) => {
    const answer = await ask("/api/v1/services/shop/reviews/endpoints/vm-1", { method: "PUT", json });
    expect(answer.status).toBe(422);
    expect(JSON.stringify(answer.body)).toContain(path);
  });
});

describe("identity", () => {
  test("a token names the workload, and the published keys have its key", async () => {
    const answer = await ask("/api/v1/tokens", {
      method: "POST",
      json: { workload: "shop/web", ttlSeconds: 60 },
    });
    const { token, subject } = issuedToken.parse(answer.body);
    expect(subject).toBe("spiffe://selvedge.example/ns/shop/sa/web");
    const [header = "", claims = ""] = token
      .split(".")
      .map((part) => atob(part.replaceAll("-", "+").replaceAll("_", "/")));
    expect(JSON.parse(claims)).toMatchObject({ sub: subject, aud: "spiffe://selvedge.example" });

    const published = await ask("/.well-known/jwks.json", { headers: { authorization: "" } });
    const { keys } = keySet.parse(published.body);
    expect(keys.map(({ kid }) => kid)).toContain(JSON.parse(header).kid);
    expect(published.headers.get("cache-control")).toBe("public, max-age=60");
    expect(JSON.stringify(published.body)).not.toContain('"d"');
  });

  test.each([
    ["no service account", { workload: "shop" }, 422],
    ["names out of grammar", { workload: "shop/we b" }, 400],
    ["a lifetime too long", { workload: "shop/web", ttlSeconds: 3601 }, 422],
    ["an audience elsewhere", { workload: "shop/web", audience: "https://elsewhere.example" }, 400],
  ])("a token is not issued for %s", async (_, json, status) => {
    expect((await ask("/api/v1/tokens", { method: "POST", json })).status).toBe(status);
  });
});

describe("observation", () => {
  test("status counts", async () => {
    await apply([NAMESPACE, service("reviews"), endpoint("reviews-v1", "reviews")]);
    expect(meshStatus.parse((await ask("/api/v1/status")).body)).toMatchObject({
      trustDomain: "selvedge.example",
      revision: 1,
      resources: 3,
      services: 1,
      endpoints: 1,
      healthyEndpoints: 1,
    });
  });
});
