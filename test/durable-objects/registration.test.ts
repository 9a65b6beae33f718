import { env, evictDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { healthOf, registryOf } from "../../durable-objects/env.ts";
import type { Registration } from "../../shared/wire/rpc.ts";

const SERVICE = "shop/placed";

const DOCUMENTS = [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "placed", namespace: "shop" },
    spec: { ports: [{ port: 80 }] },
  },
];

function register(changes: Partial<Registration>) {
  return healthOf(env, SERVICE).register(SERVICE, {
    id: "a",
    address: "https://a.example",
    labels: {},
    weight: 1,
    serviceAccount: null,
    isJoined: false,
    ttlMs: 30_000,
    ...changes,
  });
}

/** Where hosts see the service's endpoints. */
async function places(): Promise<readonly unknown[]> {
  const { units } = await registryOf(env).sync({ version: 0, held: [], wanted: [`service:${SERVICE}`] });
  return units.flatMap(([, unit]) =>
    unit.kind === "service" ? unit.endpoints.map(({ locality }) => locality) : [],
  );
}

const evict = () => evictDurableObject(env.HEALTH.getByName(SERVICE));

test("where an endpoint is goes along to what hosts see, and a move is a transition", async () => {
  await registryOf(env).apply({ documents: DOCUMENTS, author: "test" });

  await register({ locality: { region: "eu", zone: "eu-a" } });
  await evict();
  await evictDurableObject(env.REGISTRY.getByName("mesh"));
  expect(await places()).toEqual([{ region: "eu", zone: "eu-a" }]);
  await register({ locality: { region: "us", zone: "" } });
  await evict();
  expect(await places()).toEqual([{ region: "us", zone: "" }]);
  await register({});
  expect(await places()).toEqual([undefined]);
});

test.each([
  ["a region that is empty", { region: "", zone: "a" }],
  ["a zone with a part of its own", { region: "eu", zone: "a/b" }],
])("%s is refused", async (_name, locality) => {
  expect(await register({ locality })).toMatchObject({
    ok: false,
    problem: { code: "config.invalid", fields: [{ path: "locality" }] },
  });
});
