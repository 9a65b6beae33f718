/**
 * What the mesh explains is what it does: the same cases as for its answers,
 * asked instead of sent.
 */
import { expect, onTestFinished, test } from "vitest";
import type { Explanation } from "../../shared/wire/explain.ts";
import { readCases } from "../conformance-tables/cases.ts";
import { type Target, startCluster } from "./gateway-api/cluster.ts";
import type { KubeObject } from "./gateway-api/documents.ts";

interface Step {
  readonly id: string;
  readonly type: string;
  readonly protocol?: string;
  readonly target: Target;
  readonly request: {
    readonly method: string;
    readonly host: string | null;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
  };
  readonly effective: {
    readonly status: readonly number[];
    readonly backend?: { readonly podPrefix?: string };
  };
}

interface Content {
  readonly fixtures: Readonly<Record<string, { readonly objects: readonly KubeObject[] }>>;
  readonly tests: readonly {
    readonly suite: string;
    readonly objects: readonly KubeObject[];
    readonly steps: readonly Step[];
  }[];
}

const { absence, content } = readCases<Content>("gateway-api.json");

const { fixtures, tests } = content ?? { fixtures: {}, tests: [] };

/** A connection's target as a question: the port is part of the URL, and a caller is named. */
function questionOf({ target, request }: Step): unknown {
  const { method, path } = request;
  const headers = Object.entries(request.headers).map(([name, value]) => ({ name, value }));
  const host = request.host ?? "gateway.test";
  if (target.kind === "mesh")
    return { method, url: `http://${host}${path}`, headers, from: `${target.clientNamespace}/default` };
  const [namespace, name] = target.address.gateway.split("/");
  const url = `${target.scheme}://${host.replace(/:\d+$/, "")}:${target.port}${path}`;
  return { method, url, headers, gateway: { namespace, name } };
}

/** What an answer would look like from outside: its status, and a backend that may have given it. */
function told({ outcome, backends }: Explanation): { status: number; services: readonly string[] } {
  if (outcome.kind !== "forward") return { status: outcome.status, services: [] };
  const used = backends.filter(({ share }) => share > 0);
  if (used.some(({ redirect }) => redirect !== null)) return { status: 302, services: [] };
  if (used.some(({ invalid }) => invalid !== null)) return { status: 500, services: [] };
  return { status: 200, services: used.map(({ service }) => service.slice(service.indexOf("/") + 1)) };
}

/** Cases about what happens after the decision. */
const AFTER_IT = /Timeout|Retry|ServiceTypes/;

test.skipIf(content === null)(`explains as it answers${absence}`, { timeout: 60_000 }, async () => {
  const cluster = await startCluster({ endpoints: {}, fixtures });
  onTestFinished(() => cluster.stop());
  const explained: unknown[] = [];
  const wanted: unknown[] = [];

  for (const { suite, objects, steps } of tests) {
    const asked = steps.filter(
      ({ type, protocol, request, id }) =>
        type === "request" &&
        protocol === "http" &&
        request.host?.includes("{") !== true &&
        !AFTER_IT.test(id),
    );
    if (asked.length === 0 || steps.some(({ type }) => type === "action")) continue;
    await cluster.apply([...(fixtures[suite]?.objects ?? []), ...objects]);
    for (const step of asked) {
      const { status, services } = told(await cluster.explain(questionOf(step)));
      const prefix = step.effective.backend?.podPrefix ?? null;
      const isThere =
        status !== 200 || prefix === null || services.some((service) => service.startsWith(prefix));
      explained.push([step.id, step.effective.status.includes(status) ? "as expected" : status, isThere]);
      wanted.push([step.id, "as expected", true]);
    }
  }

  expect(explained).toEqual(wanted);
  expect(explained.length).toBeGreaterThan(150);
});
