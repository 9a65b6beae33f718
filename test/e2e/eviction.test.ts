/**
 * One script over everything that objects keep, run twice: undisturbed, and
 * with all objects of all classes evicted between every two steps.
 *
 * @module
 */
import { expect, onTestFinished, test } from "vitest";
import { API_PREFIX } from "../../shared/wire/admin.ts";
import { failing } from "../chaos/behavior.ts";
import { type Document, NAMESPACE, ownAnswer, service, web } from "../chaos/documents.ts";
import { type Fleet, startFleet } from "../chaos/fleet.ts";
import { OBJECT_CLASSES } from "../chaos/objects.ts";
import { startUpstreams, type Upstreams } from "../chaos/upstreams.ts";
import { ask, until } from "./http-client.ts";
import { stateDir } from "./state-dir.ts";

interface World {
  readonly fleet: Fleet;
  readonly upstreams: Upstreams;
  /** What a step keeps for later ones: names that chance or time gave. */
  readonly kept: Record<string, string>;
  /** Changes that were marked, and calls of `web`. */
  readonly marks: { count: number };
  readonly calls: { count: number };
}

type Step = (world: World) => Promise<unknown>;

/** The service that only bears the mark of a change. */
const MARKED = `mark.${NAMESPACE}.mesh.localhost`;

const COUNTED = /^selvedge_requests_total\{.*destination_service="web"/;

const EXTRA = `/services/${NAMESPACE}/web/endpoints/extra`;

const SCRIPT: Readonly<Record<string, Step>> = {
  "a service is applied": (world) => apply(world, [service("mark"), ...web(world.upstreams, ONE_CIRCUIT)]),
  "both isolates carry calls": (world) => statuses(world, [0, 1, 0, 1]),
  "keys sign": keepKeys,
  "a limit is applied": (world) => apply(world, [LIMIT]),
  "one isolate spends": (world) => statuses(world, [0]),
  "the other spends": (world) => statuses(world, [1]),
  "what is left is one call": (world) => statuses(world, [0, 1]),
  "the limit is removed": (world) => admin(world, "POST", "/delete", { refs: [LIMIT_REF] }),
  "a change follows the removal": (world) => apply(world, []),
  "calls pass again": (world) => statuses(world, [0, 1]),
  "a token is to count once": (world) => apply(world, [ONCE]),
  "a token is issued": keepToken,
  "one isolate takes it": (world) => showToken(world, 0),
  "the other does not take it again": (world) => showToken(world, 1),
  "an endpoint registers": (world) =>
    admin(world, "PUT", EXTRA, { address: world.upstreams.urlOf("b"), labels: { app: "web" } }),
  "it is there": (world) => admin(world, "GET", `/services/${NAMESPACE}/web`),
  "it beats": (world) => admin(world, "POST", `${EXTRA}/heartbeat`),
  "it drains": (world) => admin(world, "POST", `${EXTRA}/drain`),
  "it is draining": (world) => admin(world, "GET", `/services/${NAMESPACE}/web`),
  "it leaves": (world) => admin(world, "DELETE", EXTRA),
  "it is gone": (world) => admin(world, "GET", `/services/${NAMESPACE}/web`),
  "access is granted": grantAccess,
  "access is used": useAccess,
  "access is revoked": (world) => admin(world, "DELETE", `/access/${world.kept["access"]}`),
  "access is gone": useAccess,
  "revisions are listed": (world) => admin(world, "GET", "/revisions"),
  "revisions differ": (world) => admin(world, "GET", "/diff?from=1&to=2"),
  "the second is restored": (world) => admin(world, "POST", "/rollback", { revision: 2 }),
  "its resources are back": (world) => admin(world, "GET", "/resources"),
  "the first is restored": (world) => admin(world, "POST", "/rollback", { revision: 1 }),
  "a change follows the return": (world) => apply(world, []),
  "the endpoint fails": ({ upstreams }) => upstreams.behave("a", failing(503)),
  "one isolate opens its circuit": (world) => statuses(world, [0, 0, 0, 0, 0, 0], "POST"),
  "the other opens its circuit": (world) => statuses(world, [1, 1, 1, 1, 1, 1], "POST"),
  "both take the endpoint out": untilEjected,
  "the same keys sign": keysAreKept,
  "calls were counted": countedCalls,
};

/** Opens after three failures, and stays so for the rest of the script. */
const ONE_CIRCUIT = { circuitBreaker: { consecutiveFailures: 3, openFor: "10m", maxOpenFor: "10m" } };

const LIMIT_KIND = { apiVersion: "selvedge.dev/v1", kind: "RateLimitPolicy" };
const LIMIT_REF = { ...LIMIT_KIND, namespace: NAMESPACE, name: "web" };
const LIMIT: Document = {
  ...LIMIT_KIND,
  metadata: { name: "web", namespace: NAMESPACE },
  spec: {
    targetRefs: [{ group: "", kind: "Service", name: "web" }],
    limits: [{ mode: "Strict", requests: 3, per: "1h" }],
  },
};

const ONCE: Document = {
  apiVersion: "selvedge.dev/v1",
  kind: "PeerAuthentication",
  metadata: { name: "once", namespace: NAMESPACE },
  spec: { mtls: { mode: "PERMISSIVE" }, tokens: { once: [{ paths: ["/once"] }] } },
};

/** What a script that did nothing would not show. */
const EXPECTED = {
  "both isolates carry calls": [200, 200, 200, 200],
  "what is left is one call": [200, 429],
  "calls pass again": [200, 200],
  "one isolate takes it": 200,
  "the other does not take it again": 401,
  "access is used": 200,
  "access is gone": 401,
  "one isolate opens its circuit": [503, 503, 503, 503, 503, 503],
  "the same keys sign": true,
};

test("evicting all objects between every two steps changes nothing", { timeout: 120_000 }, async () => {
  const undisturbed = await run(() => Promise.resolve());
  const evicted: number[] = [];

  const disturbed = await run(async (fleet) => {
    const counts: number[] = [];
    for (const className of OBJECT_CLASSES) counts.push(await fleet.objects.evict(className));
    for (const [n, count] of counts.entries()) evicted[n] = (evicted[n] ?? 0) + count;
  });

  expect(disturbed).toEqual(undisturbed);
  expect(undisturbed).toMatchObject(EXPECTED);
  // It did disturb: there were instances of each class to evict.
  expect(evicted.filter((count) => count === 0)).toEqual([]);
});

async function run(disturb: (fleet: Fleet) => Promise<void>): Promise<Readonly<Record<string, unknown>>> {
  const upstreams = await startUpstreams(["a", "b"], 1);
  onTestFinished(() => upstreams.stop());
  const fleet = await startFleet({ isolates: 2, stateDir: stateDir() });
  onTestFinished(() => fleet.stop());
  const only = { names: ["a"], urlOf: upstreams.urlOf };
  const world: World = {
    fleet,
    upstreams: { ...upstreams, ...only },
    kept: {},
    marks: { count: 0 },
    calls: { count: 0 },
  };
  const results: Record<string, unknown> = {};
  for (const [name, step] of Object.entries(SCRIPT)) {
    results[name] = stable(await step(world));
    await disturb(fleet);
  }
  return results;
}

/** Applies documents and waits until both isolates have them: in one with a mark that a service's answers bear. */
async function apply({ fleet, marks }: World, documents: readonly Document[]): Promise<unknown> {
  const mark = ++marks.count;
  const answer = await fleet.apply([...documents, ownAnswer(mark, "mark")]);
  for (const { port, headers } of fleet.isolates) {
    const seen = await until(
      () => ask({ port, host: "", path: "/", headers: { ...headers, host: MARKED } }),
      (response) => response.headers["x-generation"] === String(mark),
    );
    expect(seen.headers["x-generation"]).toBe(String(mark));
  }
  return answer;
}

/** The status of one call at each of these isolates, in turn. */
async function statuses(world: World, isolates: readonly number[], method = "GET"): Promise<number[]> {
  const answers: number[] = [];
  for (const n of isolates) {
    const { port, headers } = world.fleet.isolates[n] ?? { port: 0, headers: {} };
    const { status } = await ask({ port, host: "", path: "/", method, headers });
    answers.push(status);
    world.calls.count += 1;
  }
  return answers;
}

async function admin({ fleet }: World, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fleet.admin(method, API_PREFIX + path, body);
  return { status: answer.status, body: JSON.parse(answer.body) as unknown };
}

async function keysOf({ fleet }: World): Promise<string> {
  return (await fleet.admin("GET", "/.well-known/jwks.json")).body;
}

async function keepKeys(world: World): Promise<unknown> {
  world.kept["keys"] = await keysOf(world);
  return "kept";
}

async function keysAreKept(world: World): Promise<unknown> {
  return (await keysOf(world)) === world.kept["keys"];
}

async function grantAccess(world: World): Promise<unknown> {
  const granted = (await admin(world, "POST", "/access", { name: "reader", role: "viewer" })) as {
    status: number;
    body: { id: string; token: string };
  };
  world.kept["access"] = granted.body.id;
  world.kept["token"] = granted.body.token;
  return granted.status;
}

async function useAccess({ fleet, kept }: World): Promise<unknown> {
  return (await fleet.admin("GET", `${API_PREFIX}/principal`, undefined, kept["token"])).status;
}

async function keepToken(world: World): Promise<unknown> {
  const issued = (await admin(world, "POST", "/tokens", { workload: `${NAMESPACE}/client` })) as {
    status: number;
    body: { token: string };
  };
  world.kept["once"] = issued.body.token;
  return issued.status;
}

async function showToken({ fleet, kept, calls }: World, isolate: number): Promise<number> {
  const { port, headers } = fleet.isolates[isolate] ?? { port: 0, headers: {} };
  const shown = { ...headers, authorization: `Bearer ${kept["once"]}` };
  calls.count += 1;
  return (await ask({ port, host: "", path: "/once", headers: shown })).status;
}

/** Isolates report what they find after they have answered. */
async function untilEjected(world: World): Promise<unknown> {
  return until(
    () => admin(world, "GET", `/services/${NAMESPACE}/web`),
    (answer) => JSON.stringify(answer).includes('"isEjected":true'),
  );
}

/** All calls of the script by what became of them; isolates report a moment later. */
async function countedCalls({ fleet, calls }: World): Promise<unknown> {
  const series = async (): Promise<string[]> => {
    const { body } = await fleet.admin("GET", "/metrics");
    return body.split("\n").filter((line) => COUNTED.test(line));
  };
  return until(
    series,
    (lines) => lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0) >= calls.count,
  );
}

/** Without what time and chance decide. */
function stable(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value ?? null, (_key, part: unknown) => {
      if (typeof part === "number" && part > 1e11) return "a time";
      if (typeof part === "string" && /^\d{4}-\d\d-\d\dT/.test(part)) return "a time";
      if (typeof part === "string" && /^[0-9a-f]{8}-[0-9a-f-]{27}$|^[0-9a-f]{12}$/.test(part)) return "an id";
      if (typeof part === "string" && part.startsWith("http://127.0.0.1:")) return "an address";
      return part;
    }),
  );
}
