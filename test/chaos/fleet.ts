/**
 * A mesh with several isolates that share its objects, and objects that break
 * on command. The isolates are Workers of one workerd process, each with its
 * own state, as the platform's isolates have; Workers in processes of their
 * own can join.
 *
 * @module
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashToken } from "../../cli/dev/admin-token.ts";
import { type Client, createClient } from "../../cli/client.ts";
import { bundleWorker } from "../../cli/dev/bundle.ts";
import { type Runtime, startRuntime } from "../../cli/dev/runtime.ts";
import { type BindingTarget, readWorkerConfig, type WorkerSource } from "../../cli/dev/worker-config.ts";
import { meshAudience } from "../../shared/identity/spiffe.ts";
import { applyAnswer } from "../../shared/wire/admin.ts";
import type { z } from "zod";
import { type Answer, ask } from "../e2e/http-client.ts";
import { type Authority, authorityOf } from "./authority.ts";
import { type Document, NAMESPACE } from "./documents.ts";
import type { Target } from "./load.ts";
import { type Objects, objectsAt } from "./objects.ts";

export const TRUST_DOMAIN = "selvedge.test";

const ADMIN_TOKEN = "chaos";

const MESH_DOMAIN = "mesh.localhost";

/** Longer than any run. */
const TOKEN_TTL_SECONDS = 3_600;

/** An apply beside 10,000 services, on a machine with other work. */
const ADMIN_TIMEOUT_MS = 60_000;

const ISOLATE_BUNDLE = "isolate.js";

const MESH_CONFIG = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));
const JOINED_CONFIG = local("joined/wrangler.toml");

/** What joined Workers bind to, and who they are. */
const JOIN = { entrypoint: "Mesh", props: { namespace: NAMESPACE, serviceAccount: "caller" } };

const BOUND = { services: { CALLER: { service: "joined" } } };

export interface FleetOptions {
  /** Isolates beside the one that the objects live in. */
  readonly isolates: number;
  /** Whether they have a binding `CALLER` to a joined Worker, which passes calls on to `web`; not unless given. */
  readonly hasCaller?: boolean;
  /** Kept at the end if given; a fresh one otherwise. */
  readonly stateDir?: string;
  /** Takes each line that workerd prints; lost unless given. */
  readonly output?: (line: string) => void;
}

export interface Fleet {
  readonly runtime: Runtime;
  readonly client: Client;
  readonly objects: Objects;
  readonly authority: Authority;
  /** The service `web`, asked for at each isolate by a workload of the mesh. */
  readonly isolates: readonly Target[];
  /** All of them or none; says by which revision. */
  apply(documents: readonly Document[]): Promise<z.infer<typeof applyAnswer>>;
  /** Any call of the admin host, with the fleet's own token unless another is given. */
  admin(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  /** A Worker in a runtime of its own that passes calls on to `web`. Ends with the fleet. */
  join(): Promise<Target>;
  stop(): Promise<void>;
}

/** Starts the mesh. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), "selvedge-chaos-"));
  const names = Array.from({ length: options.isolates }, (_, n) => `isolate-${n + 1}`);
  mkdirSync(stateDir, { recursive: true });
  if (names.length > 0) await bundleIsolate(join(stateDir, ISOLATE_BUNDLE));
  const output = options.output ?? (() => undefined);
  const runtime = await startRuntime({
    workers: [
      meshWorker(),
      ...names.map((name) => ({ ...isolateWorker(name, stateDir), ...(options.hasCaller && BOUND) })),
      ...(options.hasCaller ? [joinedWorker({ service: "selvedge", ...JOIN })] : []),
    ],
    main: "selvedge",
    stateDir,
    sockets: {
      chaos: { service: "selvedge", entrypoint: "Chaos" },
      join: { service: "selvedge", ...JOIN },
      ...Object.fromEntries(names.map((name) => [name, { service: name }])),
    },
    output,
  });
  const client = createClient({ server: runtime.url, token: ADMIN_TOKEN, timeoutMs: ADMIN_TIMEOUT_MS });
  const authority = authorityOf(client);
  const audience = meshAudience(TRUST_DOMAIN);
  const token = await authority.token(`${NAMESPACE}/client`, audience, TOKEN_TTL_SECONDS);
  const headers = fieldsOf("web", token);
  const joined: Promise<Runtime>[] = [];
  return {
    runtime,
    client,
    objects: objectsAt(runtime.socket("chaos").port),
    authority,
    isolates: names.map((name) => ({ port: runtime.socket(name).port, headers })),
    apply: (documents) =>
      client.call({ method: "POST", path: "/apply", body: { documents }, answer: applyAnswer }),
    admin: (method, path, body, token = ADMIN_TOKEN) =>
      ask({
        port: runtime.port,
        host: "127.0.0.1",
        path,
        method,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    async join() {
      const starting = startRuntime({
        workers: [joinedWorker({ external: `127.0.0.1:${runtime.socket("join").port}` })],
        main: "joined",
        stateDir: join(stateDir, `joined-${joined.length}`),
        output,
      });
      joined.push(starting);
      return { port: (await starting).port, headers: {} };
    },
    async stop() {
      const started = await Promise.allSettled([runtime, ...joined]);
      await Promise.all(started.map((each) => each.status === "fulfilled" && each.value.stop()));
      if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** Once for all isolates: their Workers are bundled from that, which takes little time without its source map. */
async function bundleIsolate(path: string): Promise<void> {
  await bundleWorker(local("isolate/main.js"), path);
  const code = readFileSync(path, "utf8");
  writeFileSync(path, code.slice(0, code.lastIndexOf("//# sourceMappingURL=")));
}

/** Header fields of a call to a service, at the edge, by whom the token proves. */
export function fieldsOf(service: string, token: string): Target["headers"] {
  return { host: `${service}.${NAMESPACE}.${MESH_DOMAIN}`, authorization: `Bearer ${token}` };
}

function meshWorker(): WorkerSource {
  return { configPath: MESH_CONFIG, main: local("mesh/main.js"), vars: VARS };
}

const VARS = {
  SELVEDGE_TRUST_DOMAIN: TRUST_DOMAIN,
  SELVEDGE_MESH_DOMAIN: MESH_DOMAIN,
  SELVEDGE_ADMIN_HOSTS: "127.0.0.1",
  SELVEDGE_PRIVATE_ENDPOINTS: "allow",
  SELVEDGE_ADMIN_TOKEN_SHA256: hashToken(ADMIN_TOKEN),
  // Which lines are written is chance, and nobody reads them here.
  SELVEDGE_LOG_SAMPLE: "0",
};

/** A Worker that is the mesh's again, but for its objects, which are those of the first. */
function isolateWorker(name: string, stateDir: string): WorkerSource {
  const { compatibilityDate, objectBindings } = readWorkerConfig({ configPath: MESH_CONFIG });
  const bindings = Object.entries(objectBindings).map(
    ([binding, { className }]) =>
      `[[durable_objects.bindings]]\nname = "${binding}"\nclass_name = "${className}"\nscript_name = "selvedge"\n`,
  );
  const head = `name = "${name}"\nmain = "${ISOLATE_BUNDLE}"\ncompatibility_date = "${compatibilityDate}"\n`;
  const configPath = join(stateDir, `${name}.toml`);
  writeFileSync(configPath, head + bindings.join(""));
  return { configPath, vars: VARS };
}

function joinedWorker(mesh: BindingTarget): WorkerSource {
  return { configPath: JOINED_CONFIG, services: { MESH: mesh } };
}

function local(path: string): string {
  return fileURLToPath(new URL(`workers/${path}`, import.meta.url));
}
