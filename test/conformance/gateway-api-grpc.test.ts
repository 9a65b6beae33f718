/**
 * Gateway API's cases for gRPC at the level of decisions: a gRPC call is a
 * POST to `/service/method`, and its metadata are header fields. They end in
 * plain HTTP, since no backend here speaks gRPC.
 */
import { expect, onTestFinished, test } from "vitest";
import { readCases } from "../conformance-tables/cases.ts";
import { type Context, type Target, startCluster } from "./gateway-api/cluster.ts";
import { at, type KubeObject, listOf } from "./gateway-api/documents.ts";
import { ask } from "./http.ts";
import { startUpstream } from "./upstream.ts";

interface Step {
  readonly id?: string;
  readonly protocol?: string;
  readonly target: Target;
  readonly request: {
    readonly path: string;
    readonly authority?: string | null;
    readonly host?: string;
    readonly metadata?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>>;
  };
  readonly effective: {
    readonly grpcCode?: string;
    readonly backend?: { readonly podPrefix?: string };
    readonly backendRequest?: {
      readonly headers?: Readonly<Record<string, string>>;
      readonly absentHeaders?: readonly string[];
    };
  };
}

interface Content {
  readonly fixtures: Readonly<
    Record<string, { readonly objects: readonly KubeObject[]; readonly backends: readonly unknown[] }>
  >;
  readonly tests: readonly {
    readonly suite: string;
    readonly objects: readonly KubeObject[];
    readonly steps: readonly Step[];
  }[];
}

const { absence, content } = readCases<Content>("gateway-api.json");

const { fixtures, tests } = content ?? { fixtures: {}, tests: [] };

/** A backend that says who it is, for each pod of the fixtures that speaks gRPC. */
async function startPods(): Promise<Context["endpoints"]> {
  const pods = new Map<string, Promise<string>>();
  const endpoints: [string, { pod: string; url: string }[]][] = [];
  for (const backend of Object.values(fixtures).flatMap(({ backends }) => backends)) {
    if (!["grpc-echo", "mesh-echo"].includes(String(at(backend, "kind")))) continue;
    const namespace = String(at(backend, "namespace"));
    const own = listOf(at(backend, "podNamePrefixes")).map(async (prefix) => {
      const pod = `${String(prefix)}abcde-12345`;
      const key = `${namespace}/${pod}`;
      const url = pods.get(key) ?? startPod(pod);
      pods.set(key, url);
      return { pod, url: await url };
    });
    endpoints.push([`${namespace}/${String(at(backend, "service"))}:1`, await Promise.all(own)]);
  }
  return Object.fromEntries(endpoints);
}

async function startPod(pod: string): Promise<string> {
  const { url } = await startUpstream((seen, response) => {
    response.end(JSON.stringify({ pod, path: seen.path, headers: seen.headers }));
  });
  return url;
}

/** What the case says of the answer: nothing that it does not mention. */
function wantedOf({ effective, request }: Step): unknown {
  if (effective.grpcCode !== undefined && effective.grpcCode !== "OK") return { status: 404 };
  return {
    status: 200,
    pod: expect.stringMatching(`^${effective.backend?.podPrefix ?? ""}`),
    path: request.path === "" ? "/" : request.path,
    headers: effective.backendRequest?.headers ?? {},
    present: [],
  };
}

test.skipIf(content === null)(
  `decides gRPC calls as the suite expects${absence}`,
  { timeout: 60_000 },
  async () => {
    const endpoints = await startPods();
    const cluster = await startCluster({ endpoints, fixtures });
    onTestFinished(() => cluster.stop());
    const answered: unknown[] = [];
    const wanted: unknown[] = [];

    for (const { suite, objects, steps } of tests) {
      const calls = steps.filter(({ protocol }) => protocol === "grpc");
      if (calls.length === 0) continue;
      await cluster.apply([...(fixtures[suite]?.objects ?? []), ...objects]);
      for (const step of calls) {
        answered.push([step.id, await call(step)]);
        wanted.push([step.id, wantedOf(step)]);
      }
    }

    expect(answered).toEqual(wanted);
    expect(answered.length).toBeGreaterThan(20);

    async function call({ target, request, effective }: Step): Promise<unknown> {
      const host = request.authority ?? request.host ?? null;
      const entry = cluster.entry(target, { host });
      const headers = {
        "content-type": "application/grpc",
        ...request.metadata,
        ...request.headers,
        ...(host === null ? {} : { host }),
        ...entry.headers,
      };
      const reply = await ask(entry.port, request.path === "" ? "/" : request.path, {
        method: "POST",
        headers,
      });
      if (reply.status !== 200) return { status: reply.status };
      const { pod, path, headers: seen } = JSON.parse(reply.body);
      const { headers: named = {}, absentHeaders = [] } = effective.backendRequest ?? {};
      return {
        status: reply.status,
        pod,
        path,
        headers: Object.fromEntries(
          Object.keys(named).map((name) => [
            name,
            String(at(seen, name.toLowerCase())).replaceAll(", ", ","),
          ]),
        ),
        present: absentHeaders.filter((name) => at(seen, name.toLowerCase()) !== undefined),
      };
    }
  },
);
