import { expect, test } from "vitest";
import { telemetryOf } from "../../durable-objects/env.ts";
import type { RecordedCall } from "../../shared/wire/recorded-call.ts";
import { NO_COUNTS } from "../fakes/counts.ts";
import { ask, env, type Answered } from "./admin-kit.ts";

const NAMES = ["reviews", "ratings"];

const SERVICES = NAMES.map((name) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { ports: [{ port: 80 }] },
}));

function policy(name: string, action: "ALLOW" | "DENY", service: string, path: string): object {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name, namespace: "shop" },
    spec: {
      targetRefs: [{ group: "", kind: "Service", name: service }],
      action,
      rules: [{ to: [{ operation: { paths: [path] } }] }],
    },
  };
}

const DENY = policy("deny", "DENY", "reviews", "/secret/*");

let sequence = 0;

/** Calls of a workload of the namespace, one to each path. */
async function record(service: string, ...paths: readonly string[]): Promise<void> {
  const calls = paths.map((path) => {
    const caller = `${env.SELVEDGE_TRUST_DOMAIN}/ns/shop/sa/web`;
    const where = { unit: `service:shop/${service}`, endpoint: "", host: service, port: 80 };
    const call: RecordedCall = { ...where, caller, method: "GET", path, headers: {} };
    return { call, isAdmitted: true, calls: 1 };
  });
  sequence += 1;
  await telemetryOf(env).report({ reporter: "host", sequence, series: [], host: NO_COUNTS, calls });
}

function post(path: string, body: unknown): Promise<Answered> {
  return ask(path, { method: "POST", json: body });
}

test("a change is tried on the calls to what it touches, and applied only within its limit", async () => {
  expect((await post("/api/v1/apply", { documents: SERVICES })).status).toBe(200);
  await record("reviews", "/secret/1", "/open");
  await record("ratings", "/secret/1");

  const tried = await post("/api/v1/simulate", { documents: [DENY] });
  expect(tried.body).toMatchObject({ recorded: 3, replayed: 2, unchanged: 1, flips: 1, omitted: 0 });
  expect(tried.body).toMatchObject({ items: [{ callee: "shop/reviews", path: "/secret/1" }] });

  const refused = await post("/api/v1/apply", { documents: [DENY], maxFlips: 0 });
  expect([refused.status, refused.body]).toMatchObject([
    409,
    {
      code: "config.flips",
      fields: [
        {
          path: `spiffe://${env.SELVEDGE_TRUST_DOMAIN}/ns/shop/sa/web to shop/reviews: GET /secret/1`,
          message: "allowed, then denied by shop/deny[0]; recorded once",
        },
      ],
    },
  ]);
  const dry = await post("/api/v1/apply", { documents: [DENY], maxFlips: 1, dryRun: true });
  expect([dry.status, dry.body]).toMatchObject([200, { revision: 1 }]);
  const invalid = await post("/api/v1/simulate", { documents: [{ ...DENY, spec: { action: "NEVER" } }] });
  expect(invalid.status).toBe(422);
  const late = await post("/api/v1/apply", { documents: [DENY], maxFlips: 1, ifRevision: 7 });
  expect(late.status).toBe(412);

  const forced = await post("/api/v1/apply", { documents: [DENY], maxFlips: 0, force: true });
  expect([forced.status, forced.body]).toMatchObject([
    200,
    { revision: 2, warnings: ["of the recorded calls 1 would be decided otherwise by this change"] },
  ]);

  const ref = {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    namespace: "shop",
    name: "deny",
  };
  expect((await post("/api/v1/simulate", { refs: [ref] })).body).toMatchObject({
    flips: 1,
    items: [{ before: { by: "shop/deny[0]" }, after: { kind: "allowed" } }],
  });
  expect((await post("/api/v1/simulate", { refs: [{ ...ref, name: "other" }] })).status).toBe(404);
  const gone = await post("/api/v1/simulate", { documents: SERVICES.slice(0, 1), prune: true });
  expect(gone.body).toMatchObject({ replayed: 3, gone: 1, flips: 1 });
});
