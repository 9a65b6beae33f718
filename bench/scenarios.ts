/**
 * What the benchmark compares, each in a runtime process of its own.
 *
 * @module
 */
import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Runtime, startRuntime } from "../cli/dev/runtime.ts";
import type { ServiceTarget, WorkerSource } from "../cli/dev/worker-config.ts";
import { edgeDocuments, GATEWAY_HOST, libraryDocuments, manyServices, ROUTES } from "./configuration.ts";
import type { Target } from "./load.ts";

export interface Scenario {
  readonly name: string;
  /** Of the runtime, whose processor time counts. */
  readonly pid: number;
  readonly target: Target;
}

export interface Bench {
  readonly scenarios: readonly Scenario[];
  stop(): Promise<void>;
}

const ADMIN_TOKEN = "benchmark";
const MESH_DOMAIN = "mesh.localhost";
const MESH: ServiceTarget = { service: "selvedge" };

/** Documents per apply: an apply has a size limit. */
const BATCH = 1000;

/** Longer than the benchmark runs: tokens are checked once and then found in the cache. */
const TOKEN_TTL_SECONDS = 3600;

/** Starts upstream and runtimes and applies their configuration. */
export async function startBench(services: number): Promise<Bench> {
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-bench-"));
  const { upstream, origin } = await startUpstream();
  const running: Runtime[] = [];
  const start = async (name: string, workers: WorkerSource[], main = MESH.service): Promise<Runtime> => {
    console.error(`starting ${name}`);
    const sockets = workers.some(({ configPath }) => configPath === MESH_CONFIG) ? { admin: MESH } : {};
    const runtime = await startRuntime({
      workers,
      main,
      sockets,
      stateDir: join(stateDir, name),
      // Sampled access-log lines: writing them is part of the cost, reading them is not of interest.
      output: () => undefined,
    });
    running.push(runtime);
    return runtime;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((runtime) => runtime.stop()));
    upstream.disconnect();
    rmSync(stateDir, { recursive: true, force: true });
  };
  try {
    return { scenarios: await scenarios(start, origin, services), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Start = (name: string, workers: WorkerSource[], main?: string) => Promise<Runtime>;

async function scenarios(start: Start, origin: string, services: number): Promise<Scenario[]> {
  const bareWorker = worker("bare", { ORIGIN: origin });
  const bare = await start("bare", [bareWorker], "bench-bare");
  const edge = await start("edge", [meshWorker()]);
  const bareBinding = await start("bare-binding", [bareWorker, worker("bare-caller")], "bench-bare-caller");
  const library = await start(
    "library",
    [meshWorker(), worker("mesh-caller"), worker("mesh-callee", { ORIGIN: origin })],
    "bench-mesh-caller",
  );
  const few = await start("few", [meshWorker()]);
  const many = await start("many", [meshWorker()]);

  await apply(edge, edgeDocuments(origin));
  await apply(library, libraryDocuments());
  await apply(few, manyServices(origin, 10));
  await apply(many, manyServices(origin, services));
  return [
    { name: "bare", pid: bare.pid, target: plain(bare) },
    { name: "edge", pid: edge.pid, target: await throughGateway(edge) },
    { name: "bare binding", pid: bareBinding.pid, target: plain(bareBinding) },
    { name: "library", pid: library.pid, target: plain(library) },
    { name: "ten services", pid: few.pid, target: await byName(few, 10) },
    { name: "many services", pid: many.pid, target: await byName(many, services) },
  ];
}

const MESH_CONFIG = fileURLToPath(new URL("../wrangler.toml", import.meta.url));

function meshWorker(): WorkerSource {
  return {
    configPath: MESH_CONFIG,
    vars: {
      SELVEDGE_MESH_DOMAIN: MESH_DOMAIN,
      SELVEDGE_ADMIN_HOSTS: "127.0.0.1",
      SELVEDGE_ADMIN_TOKEN_SHA256: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
      SELVEDGE_PRIVATE_ENDPOINTS: "allow",
    },
  };
}

function worker(name: string, vars: Readonly<Record<string, string>> = {}): WorkerSource {
  return { configPath: fileURLToPath(new URL(`workers/${name}/wrangler.toml`, import.meta.url)), vars };
}

function startUpstream(): Promise<{ upstream: ChildProcess; origin: string }> {
  const upstream = fork(fileURLToPath(new URL("upstream.ts", import.meta.url)));
  return new Promise((resolve, reject) => {
    upstream.once("message", (port) => resolve({ upstream, origin: `http://127.0.0.1:${String(port)}` }));
    upstream.once("exit", () => reject(new Error("the upstream did not start")));
  });
}

async function apply(runtime: Runtime, documents: readonly unknown[]): Promise<void> {
  for (let from = 0; from < documents.length; from += BATCH) {
    await admin(runtime, "apply", { documents: documents.slice(from, from + BATCH) });
  }
}

async function token(runtime: Runtime): Promise<string> {
  const answer = await admin(runtime, "tokens", { workload: "bench/client", ttlSeconds: TOKEN_TTL_SECONDS });
  if (typeof answer !== "object" || answer === null || !("token" in answer)) throw new Error("no token");
  return String(answer.token);
}

async function admin(runtime: Runtime, path: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${runtime.socket("admin").url}/api/v1/${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function plain({ port }: Runtime): Target {
  return { port, request: (n) => ({ path: `/items/${n}`, headers: {} }) };
}

/** Spreads over all routes of the Gateway, with a token. */
async function throughGateway(runtime: Runtime): Promise<Target> {
  const headers = { host: GATEWAY_HOST, authorization: `Bearer ${await token(runtime)}` };
  return { port: runtime.port, request: (n) => ({ path: `/area-${(n * 7) % ROUTES}/items/${n}`, headers }) };
}

/** Calls all services by name, in turn, with a token. */
async function byName(runtime: Runtime, services: number): Promise<Target> {
  const authorization = `Bearer ${await token(runtime)}`;
  return {
    port: runtime.port,
    request: (n) => ({
      path: `/items/${n}`,
      headers: { host: `many-${n % services}.bench.${MESH_DOMAIN}`, authorization },
    }),
  };
}
