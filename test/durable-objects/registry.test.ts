import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import type { ChangeKind } from "../../shared/wire/registry-rpc.ts";
import {
  apply,
  endpoint,
  everything,
  evict,
  labelled,
  meshRoute,
  refTo,
  registry,
  service,
  valueOf,
  type Document,
} from "./registry-kit.ts";

afterEach(reset);

/** `created a` for every change, in the order of the documents. */
const told = (changes: readonly { ref: { name: string }; change: ChangeKind }[]) =>
  changes.map(({ ref, change }) => `${change} ${ref.name}`);

const names = async () => (await registry().list({})).map(({ metadata }) => metadata.name);

async function metadataOf(document: Document) {
  return valueOf(await registry().get(refTo(document))).metadata;
}

describe("apply", () => {
  test("a new mesh is at revision 0 and knows nothing", async () => {
    expect(await registry().status()).toEqual({
      trustDomain: "selvedge.example",
      revision: 0,
      version: 1,
      resources: 0,
      services: 0,
      endpoints: 0,
      healthyEndpoints: 0,
      store: { kind: "off", why: "no-secret" },
    });
    expect(await registry().revisions(10)).toEqual([]);
  });

  test("creates resources, and an evicted registry still has them", async () => {
    const answer = valueOf(await apply([service("cart"), endpoint("cart-1", "cart")]));
    expect(answer).toEqual({
      revision: 1,
      changes: [
        { ref: refTo(service("cart")), change: "created" },
        { ref: refTo(endpoint("cart-1", "cart")), change: "created" },
      ],
      warnings: [],
    });
    await evict();
    expect(valueOf(await registry().get(refTo(endpoint("cart-1", "cart"))))).toEqual({
      apiVersion: "selvedge.dev/v1",
      kind: "Endpoint",
      metadata: {
        name: "cart-1",
        namespace: "shop",
        labels: { app: "cart" },
        annotations: {},
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        generation: 1,
        creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      },
      spec: expect.objectContaining({ address: "https://cart-1.example", weight: 1 }),
    });
    expect(await registry().status()).toMatchObject({
      revision: 1,
      version: 2,
      resources: 2,
      services: 1,
      endpoints: 1,
      healthyEndpoints: 1,
    });
  });

  test("a change of spec is a new generation of the same resource", async () => {
    await apply([service("cart")]);
    const before = await metadataOf(service("cart"));
    await evict();
    expect(told(valueOf(await apply([service("cart", 81)])).changes)).toEqual(["configured cart"]);
    expect(await metadataOf(service("cart"))).toEqual({ ...before, generation: 2 });
  });

  test("a change of labels is no new generation", async () => {
    await apply([service("cart")]);
    const before = await metadataOf(service("cart"));
    await evict();
    expect(told(valueOf(await apply([labelled(service("cart"), { team: "blue" })])).changes)).toEqual([
      "configured cart",
    ]);
    expect(await metadataOf(service("cart"))).toEqual({ ...before, labels: { team: "blue" } });
  });

  test("applying the same again changes nothing, whatever the order of keys", async () => {
    await apply([service("cart")]);
    const before = await everything();
    await evict();
    const { metadata, spec } = service("cart");
    const shuffled = {
      spec: { ports: [{ port: 80, name: "http" }], selector: spec["selector"] },
      kind: "Service",
      metadata: { namespace: metadata.namespace, name: metadata.name },
      apiVersion: "v1",
    };
    const answer = valueOf(await apply([shuffled]));
    expect(answer).toMatchObject({ revision: 1, changes: [{ change: "unchanged" }] });
    expect(await everything()).toEqual(before);
  });

  test("all kinds of changes together, told in the order of the documents", async () => {
    await apply([service("a"), service("b")]);
    await evict();
    const answer = valueOf(await apply([service("c"), service("b", 81), service("a")]));
    expect(told(answer.changes)).toEqual(["created c", "configured b", "unchanged a"]);
    expect(told((await registry().revisions(1))[0]?.changes ?? [])).toEqual(["created c", "configured b"]);
  });

  test("a dry run answers what an apply would and changes nothing", async () => {
    await apply([service("a"), endpoint("a-1", "a")]);
    const before = await everything();
    const documents = [service("b"), service("a", 81), meshRoute("a", ["ghost"])];
    const dry = valueOf(await apply(documents, { dryRun: true }));
    expect(await everything()).toEqual(before);
    await evict();
    expect(await everything()).toEqual(before);
    const wet = valueOf(await apply(documents));
    expect(dry).toEqual({ ...wet, revision: 1 });
    expect(wet.warnings).toContainEqual(expect.stringContaining("shop/ghost does not exist"));
  });

  test("one invalid document keeps all others out, and every field is told", async () => {
    await apply([service("a")]);
    const before = await everything();
    const answer = await apply([
      service("b"),
      { ...service("c"), spec: { ports: [{ port: 0 }], colour: "red" } },
      { ...endpoint("d", "b"), spec: { address: "https://10.0.0.1" } },
    ]);
    expect(answer).toMatchObject({ ok: false, problem: { code: "config.invalid" } });
    const paths = answer.ok ? [] : (answer.problem.fields ?? []).map(({ path }) => path);
    expect(paths).toEqual([
      expect.stringMatching(/^Service shop\/c: spec/),
      expect.stringMatching(/^Service shop\/c: spec/),
      "Endpoint shop/d: spec.address",
    ]);
    await evict();
    expect(await everything()).toEqual(before);
  });

  test("a unit that would grow too large for a row is refused", async () => {
    const host = `${"x".repeat(60)}.${"y".repeat(60)}.example`;
    const endpoints = Array.from({ length: 6_000 }, (_, i) =>
      endpoint(`e${i}`, "big", `https://${i}.${host}`),
    );
    await apply([service("small")]);
    const before = await everything();
    const answer = await apply([service("big"), ...endpoints]);
    expect(answer).toMatchObject({
      ok: false,
      problem: { code: "config.invalid", fields: [{ path: "service:shop/big" }] },
    });
    expect(await everything()).toEqual(before);
  });

  test("ifRevision: the current one passes, any other is told the current", async () => {
    await apply([service("a")]);
    await evict();
    expect(await apply([service("b")], { ifRevision: 1 })).toMatchObject({
      ok: true,
      value: { revision: 2 },
    });
    expect(await apply([service("c")], { ifRevision: 1 })).toEqual({
      ok: false,
      problem: { code: "config.revision", detail: expect.stringContaining("at revision 2, not 1") },
    });
    expect(await apply([service("c")], { ifRevision: 1, dryRun: true })).toMatchObject({ ok: false });
    expect(await names()).toEqual(["a", "b"]);
  });

  test("prune makes the documents all there is, as one revision that can be undone", async () => {
    await apply([service("a"), service("b"), endpoint("b-1", "b")]);
    expect(
      told(valueOf(await apply([service("b"), service("c")], { prune: true, dryRun: true })).changes),
    ).toEqual(["unchanged b", "created c", "deleted b-1", "deleted a"]);
    expect(await names()).toEqual(["b-1", "a", "b"]);
    await evict();
    expect(valueOf(await apply([service("b"), service("c")], { prune: true })).revision).toBe(2);
    expect(await names()).toEqual(["b", "c"]);
    await registry().rollback(1, "test");
    expect(await names()).toEqual(["b-1", "a", "b"]);
  });

  test("the default namespace is for documents that name none", async () => {
    const bare = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "a" },
      spec: { ports: [{ port: 80 }] },
    };
    expect(await apply([bare])).toMatchObject({ ok: false });
    await apply([bare, service("b")], { defaultNamespace: "blue" });
    const listed = await registry().list({});
    expect(listed.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
      "blue/a",
      "shop/b",
    ]);
  });
});

describe("list and get", () => {
  test.each([
    [{}, ["e", "a", "b"]],
    [{ kind: "Service" }, ["a", "b"]],
    [{ kind: "Service", namespace: "shop" }, ["a", "b"]],
    [{ namespace: "shop" }, ["e", "a", "b"]],
    [{ namespace: "elsewhere" }, []],
    [{ kind: "Gateway" }, []],
  ])("%j", async (request, expected) => {
    await apply([service("b"), service("a"), endpoint("e", "a")]);
    await evict();
    expect((await registry().list(request)).map(({ metadata }) => metadata.name)).toEqual(expected);
  });

  test("what does not exist is not found", async () => {
    expect(await registry().get(refTo(service("ghost")))).toEqual({
      ok: false,
      problem: { code: "resource.not_found", detail: "There is no Service shop/ghost." },
    });
  });
});

describe("remove", () => {
  test("deletes and is a revision of its own", async () => {
    await apply([service("a"), service("b")]);
    await evict();
    expect(valueOf(await registry().remove([refTo(service("a")), refTo(service("a"))], "bob"))).toEqual({
      revision: 2,
      changes: [{ ref: refTo(service("a")), change: "deleted" }],
      warnings: [],
    });
    await evict();
    expect(await names()).toEqual(["b"]);
    expect((await registry().revisions(1))[0]).toEqual({
      revision: 2,
      at: expect.any(Number),
      author: "bob",
      reason: "delete",
      changes: [{ ref: refTo(service("a")), change: "deleted" }],
    });
  });

  test("tells everything that is missing and deletes nothing", async () => {
    await apply([service("a")]);
    const before = await everything();
    const refs = [service("x"), service("a"), service("y")].map(refTo);
    expect(await registry().remove(refs, "bob")).toEqual({
      ok: false,
      problem: { code: "resource.not_found", detail: "There is no Service shop/x, no Service shop/y." },
    });
    expect(await everything()).toEqual(before);
  });

  test("a resource made anew is another one", async () => {
    await apply([service("a", 80)]);
    await apply([service("a", 81)]);
    const first = await metadataOf(service("a"));
    await registry().remove([refTo(service("a"))], "bob");
    await apply([service("a")]);
    const second = await metadataOf(service("a"));
    expect(second.generation).toBe(1);
    expect(second.uid).not.toBe(first.uid);
  });
});

describe("status", () => {
  const shared: Document = { ...meshRoute("a", ["a"]), metadata: { name: "r", namespace: "shop" } };

  test("is told with the resource, of its generation, and follows what it is about", async () => {
    const parent = { group: "", kind: "Service", name: "a", namespace: "shop" };
    const told = (accepted: object, resolved: object) => ({
      parents: [
        {
          parentRef: parent,
          controllerName: "selvedge.dev/gateway-controller",
          conditions: [
            { type: "Accepted", observedGeneration: 1, ...accepted },
            { type: "ResolvedRefs", observedGeneration: 1, ...resolved },
          ],
        },
      ],
    });
    const missing = { status: "False", message: "Service shop/a does not exist" };
    await apply([shared]);
    expect(valueOf(await registry().get(refTo(shared))).status).toEqual(
      told({ ...missing, reason: "NoMatchingParent" }, { ...missing, reason: "BackendNotFound" }),
    );
    await apply([service("a")]);
    const fine = { status: "True", message: "" };
    const expected = told({ ...fine, reason: "Accepted" }, { ...fine, reason: "ResolvedRefs" });
    expect(valueOf(await registry().get(refTo(shared))).status).toEqual(expected);
    const listed = await registry().list({ kind: "HTTPRoute" });
    expect(listed.map(({ status }) => status)).toEqual([expected]);
  });

  test("is never stored: an apply of what was read changes nothing", async () => {
    await apply([service("a"), shared]);
    const read = valueOf(await registry().get(refTo(shared)));
    const { uid: _uid, generation: _generation, creationTimestamp: _time, ...metadata } = read.metadata;
    const answer = valueOf(await registry().apply({ documents: [{ ...read, metadata }], author: "bob" }));
    expect(told(answer.changes)).toEqual(["unchanged r"]);
  });
});
