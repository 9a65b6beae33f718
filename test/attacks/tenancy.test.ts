/** What an owner of one namespace gets by documents of its own that are about another's: nothing. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { ADMIN, bearer, DOOR, get, ROLES, send, VAULT } from "./attack.ts";
import { fire, verdictOf } from "./fire.ts";
import { build, type Fortress } from "./fortress.ts";

let fortress: Fortress;

beforeAll(async () => {
  fortress = await build();
});

afterAll(() => fortress?.fall());

/** Applies as the editor of `aaa`: first in every order, should an order decide. */
async function applyAsOwner(...documents: readonly object[]): Promise<string> {
  const lines = [`Host: ${ADMIN}`, bearer(fortress.arms.first)];
  return verdictOf(
    await fire(fortress.runtime.port, send("POST", "/api/v1/apply", lines, JSON.stringify({ documents }))),
  );
}

function own(apiVersion: string, kind: string, name: string, spec: object): object {
  return { apiVersion, kind, metadata: { name, namespace: "aaa", labels: { app: "lure" } }, spec };
}

function gateway(hostname: string): object {
  return own("gateway.networking.k8s.io/v1", "Gateway", "lure", {
    gatewayClassName: "selvedge",
    listeners: [{ name: "http", port: 80, protocol: "HTTP", hostname }],
  });
}

function route(name: string, spec: object): object {
  return own("gateway.networking.k8s.io/v1", "HTTPRoute", name, spec);
}

const LURE = own("v1", "Service", "lure", { ports: [{ port: 80 }], selector: { app: "lure" } });
const ANSWER = { type: "RequestRedirect", requestRedirect: { hostname: "evil.test" } };

test("the host of another's gateway stays that gateway's", async () => {
  const applied = await applyAsOwner(
    gateway(DOOR),
    LURE,
    route("exact", { parentRefs: [{ name: "lure" }], hostnames: [DOOR], rules: [{ filters: [ANSWER] }] }),
  );
  await settled("lure-of-exact.test", applied);
  expect(verdictOf(await fire(fortress.runtime.port, get("/open", [`Host: ${DOOR}`])))).toBe("200");
});

test("a route does not attach to another's gateway that did not invite it", async () => {
  const parentRefs = [{ name: "door", namespace: "fort" }];
  const rule = { matches: [{ path: { type: "Exact", value: "/open/very/exact" } }], filters: [ANSWER] };
  const applied = await applyAsOwner(route("uninvited", { parentRefs, hostnames: [DOOR], rules: [rule] }));
  await settled("lure-of-uninvited.test", applied);
  expect(verdictOf(await fire(fortress.runtime.port, get("/open/very/exact", [`Host: ${DOOR}`])))).toBe(
    "200",
  );
});

test("a route at another's service counts for calls from its own namespace only", async () => {
  const parentRefs = [{ group: "", kind: "Service", name: "roles", namespace: "fort" }];
  const applied = await applyAsOwner(route("gamma", { parentRefs, rules: [{ filters: [ANSWER] }] }));
  await settled("lure-of-gamma.test", applied);
  const lines = [`Host: ${ROLES}`, bearer(fortress.arms.friend)];
  expect(verdictOf(await fire(fortress.runtime.port, get("/open", lines)))).toBe("200");
});

test.each(["vault", "roles", "door", "keep"])(
  "a route sends nothing to another's %s without a grant",
  async (name) => {
    const hostname = `lure-to-${name}.test`;
    const applied = await applyAsOwner(
      gateway("*.test"),
      route(`to-${name}`, {
        parentRefs: [{ name: "lure" }],
        hostnames: [hostname],
        rules: [{ backendRefs: [{ name, namespace: "fort", port: 80 }] }],
      }),
    );
    expect(applied).toBe("200");
    fortress.robbed.splice(0);
    expect(await untilKnown(hostname)).toBe("500 backend.forbidden");
    expect(fortress.robbed).toEqual([]);
  },
);

test("names of its own services are not those of others", async () => {
  const applied = await applyAsOwner(LURE, own("v1", "Service", "vault", { ports: [{ port: 80 }] }));
  await settled("lure-of-names.test", applied);
  expect(
    verdictOf(await fire(fortress.runtime.port, get("/", [`Host: ${VAULT}`, bearer(fortress.arms.friend)]))),
  ).toBe("200");
});

/** Waits until what was applied is in force, told by a host of its own; what was refused never is. */
async function settled(hostname: string, applied: string): Promise<void> {
  if (applied !== "200") {
    expect(applied).toMatch(/^(?:403|409|422) /);
    return;
  }
  const parentRefs = [{ name: "probe" }];
  const listeners = [{ name: "http", port: 80, protocol: "HTTP", hostname }];
  await applyAsOwner(
    own("gateway.networking.k8s.io/v1", "Gateway", "probe", { gatewayClassName: "selvedge", listeners }),
    route("probe", { parentRefs, hostnames: [hostname], rules: [{ filters: [ANSWER] }] }),
  );
  expect(await untilKnown(hostname)).toBe("302");
}

async function untilKnown(hostname: string): Promise<string> {
  const giveUpAt = Date.now() + 10_000;
  for (;;) {
    const got = verdictOf(await fire(fortress.runtime.port, get("/open", [`Host: ${hostname}`])));
    if (!/host\.unknown|route\.none|control/.test(got) || Date.now() > giveUpAt) return got;
  }
}
