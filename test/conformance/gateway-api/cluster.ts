/**
 * A mesh that stands in for a Kubernetes cluster: the runner's backends are
 * its pods, gateways are reached through the entrypoint for fronts, and
 * callers inside the mesh through bindings of their namespaces.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startRuntime, type Runtime } from "../../../cli/dev/runtime.ts";
import type { ServiceTarget } from "../../../cli/dev/worker-config.ts";
import { DOOR_HEADER, formatGatewayAddress } from "../../../shared/forward/gateway-address.ts";
import { explanation, type Explanation } from "../../../shared/wire/explain.ts";
import { ask } from "../http.ts";
import { at, documentsOf, listOf, type KubeObject, type Pod } from "./documents.ts";
import { checkStatus, type Find, type StatusStep } from "./status.ts";

/** What the runner brings. */
export interface Context {
  /** Backends that listen, by `namespace/service:port`. */
  readonly endpoints: Readonly<Record<string, readonly { readonly pod: string; readonly url: string }[]>>;
  readonly fixtures: Readonly<Record<string, unknown>>;
}

export type Target =
  | {
      readonly kind: "gateway";
      readonly address: { readonly gateway: string };
      readonly port: number;
      /** `h2c` is HTTP to a gateway. */
      readonly scheme: string;
    }
  | { readonly kind: "mesh"; readonly clientNamespace: string };

/** Where to open a connection, and what it would tell by itself. */
export interface Entry {
  readonly host: string;
  readonly port: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Cluster {
  /** Makes exactly these objects the configuration; resolves when it is in force. */
  apply(objects: readonly KubeObject[]): Promise<void>;
  entry(target: Target, request: { readonly host?: string | null }): Entry;
  /** `undefined` when the mesh keeps no status that could be checked. */
  status(step: StatusStep): Promise<true | string | undefined>;
  /** What the mesh would do with a request, as it explains it. */
  explain(question: unknown): Promise<Explanation>;
  stop(): Promise<void>;
}

const ADMIN_TOKEN = "conformance";
/** In the place of a gateway's IP address, which has no meaning on this machine. */
const GATEWAY_HOST = "gateway.test";
const LOOPBACK = "127.0.0.1";

/** Starts the mesh, once for all cases: workerd's sockets and bindings are fixed when it starts. */
export async function startCluster({ endpoints, fixtures }: Context): Promise<Cluster> {
  const pods = podsOf(endpoints);
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-gateway-api-"));
  const namespaces = new Set(pods.map(({ namespace }) => namespace).concat(namespacesOf(fixtures)));
  const runtime = await startMesh(pods, namespaces, stateDir);
  let applied: readonly KubeObject[] = [];
  return {
    apply: async (objects) => {
      applied = objects;
      await inForce(runtime, await apply(runtime, documentsOf(applied, pods)));
    },
    entry: (target, request) => {
      const pod = podAt(pods, request.host ?? "");
      return pod ?? entryTo(runtime, target, request.host ?? null);
    },
    status: (step) => checkStatus(step, finder(runtime), applied),
    explain: async (question) => explanation.parse((await admin(runtime, "POST", "/explain", question)).body),
    stop: async () => {
      await runtime.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function podsOf(endpoints: Context["endpoints"]): readonly Pod[] {
  const pods = new Map<string, Pod>();
  for (const [service, backends] of Object.entries(endpoints)) {
    const namespace = service.slice(0, service.indexOf("/"));
    for (const { pod, url } of backends) {
      const address = new URL(url).host;
      if (!pods.has(address))
        pods.set(address, { name: pod, namespace, address, binding: `POD_${pods.size}` });
    }
  }
  return [...pods.values()];
}

function namespacesOf(fixtures: Context["fixtures"]): readonly string[] {
  return Object.values(fixtures).flatMap((fixture) => {
    return listOf(at(fixture, "objects"))
      .filter((object) => at(object, "kind") === "Namespace")
      .map((object) => String(at(object, "metadata", "name")));
  });
}

function startMesh(pods: readonly Pod[], namespaces: Iterable<string>, stateDir: string): Promise<Runtime> {
  const callers = [...namespaces].map((namespace): [string, ServiceTarget] => {
    const props = { namespace, serviceAccount: "default" };
    return [`mesh:${namespace}`, { service: "selvedge", entrypoint: "Mesh", props }];
  });
  return startRuntime({
    workers: [
      {
        configPath: fileURLToPath(new URL("../../../wrangler.toml", import.meta.url)),
        vars: {
          SELVEDGE_TRUST_DOMAIN: "selvedge.test",
          SELVEDGE_MESH_DOMAIN: "mesh.test",
          SELVEDGE_ADMIN_HOSTS: LOOPBACK,
          SELVEDGE_PRIVATE_ENDPOINTS: "allow",
          SELVEDGE_ADMIN_TOKEN_SHA256: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
        },
        services: Object.fromEntries(pods.map(({ binding, address }) => [binding, { external: address }])),
      },
    ],
    main: "selvedge",
    stateDir,
    sockets: { door: { service: "selvedge", entrypoint: "Door" }, ...Object.fromEntries(callers) },
    ...(process.env["SELVEDGE_TEST_OUTPUT"] === undefined ? { output: () => undefined } : {}),
  });
}

/** A call to the address of a pod goes past the mesh. */
function podAt(pods: readonly Pod[], host: string): Entry | null {
  const name = host.replace(/:\d+$/, "");
  const pod = isIP(name) === 0 ? undefined : pods.find(({ address }) => address === host);
  return pod === undefined ? null : { host: name, port: Number(host.slice(name.length + 1)), headers: {} };
}

function entryTo(runtime: Runtime, target: Target, host: string | null): Entry {
  if (target.kind === "mesh")
    return { host: LOOPBACK, port: runtime.socket(`mesh:${target.clientNamespace}`).port, headers: {} };
  const { address, port } = target;
  const scheme = target.scheme === "https" ? "https" : "http";
  const headers = {
    [DOOR_HEADER]: formatGatewayAddress({ gateway: address.gateway, port, scheme }),
    ...(host === null ? { host: GATEWAY_HOST } : {}),
  };
  return { host: LOOPBACK, port: runtime.socket("door").port, headers };
}

/** Applies documents as the whole configuration; answers the version that hosts must have. */
async function apply(runtime: Runtime, documents: readonly unknown[]): Promise<number> {
  const reply = await admin(runtime, "POST", "/apply", { documents, prune: true });
  if (reply.status !== 200) {
    const refused = refusedIn(reply.body);
    const rest = documents.filter((document) => !refused.has(nameOf(document)));
    if (rest.length === documents.length)
      throw new Error(`apply: ${reply.status} ${JSON.stringify(reply.body)}`);
    // The runner tries every case: what needs a refused document fails there.
    tellOnce(listOf(at(reply.body, "fields")).map((field) => JSON.stringify(field)));
    return apply(runtime, rest);
  }
  return Number(at((await admin(runtime, "GET", "/status")).body, "version"));
}

/** Names of documents, `Kind namespace/name`, that a problem's paths begin with. */
function refusedIn(problem: unknown): ReadonlySet<string> {
  return new Set(
    listOf(at(problem, "fields")).map((field) => String(at(field, "path")).split(": ")[0] ?? ""),
  );
}

const told = new Set<string>();

function tellOnce(problems: readonly string[]): void {
  for (const problem of problems) if (!told.has(problem)) console.error(`refused: ${problem}`);
  for (const problem of problems) told.add(problem);
}

function nameOf(document: unknown): string {
  const namespace = at(document, "metadata", "namespace");
  const name = String(at(document, "metadata", "name"));
  return `${String(at(document, "kind"))} ${namespace === undefined ? "" : `${String(namespace)}/`}${name}`;
}

/** Resolves when the edge carries calls by that version, which it learns while it is called. */
async function inForce(runtime: Runtime, version: number): Promise<void> {
  const giveUpAt = Date.now() + 10_000;
  while (Date.now() < giveUpAt) {
    const reply = await ask(runtime.socket("door").port, "/", { headers: { [DOOR_HEADER]: "status" } });
    if (Number(at(JSON.parse(reply.body), "version")) >= version) return;
    await sleep(20);
  }
  throw new Error(`version ${version} did not come into force`);
}

async function admin(
  runtime: Runtime,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ readonly status: number; readonly body: unknown }> {
  const reply = await ask(runtime.port, `/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: reply.status, body: JSON.parse(reply.body) };
}

/** Finds resources with their status, as the admin API answers them. */
function finder(runtime: Runtime): Find {
  return async (kind, key) => {
    const steps = [kind, ...(key.includes("/") ? key.split("/") : ["-", key])];
    const reply = await admin(runtime, "GET", `/resources/${steps.map(encodeURIComponent).join("/")}`);
    return reply.status === 200 ? reply.body : null;
  };
}
