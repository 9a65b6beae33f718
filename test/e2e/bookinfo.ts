import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { type Client, createClient } from "../../cli/client.ts";
import { applyDemo, DEMO_SERVICES, DEMO_WORKERS, type Ratings, startRatings } from "../../cli/dev/demo.ts";
import { type LocalMeshOptions, startLocalMesh } from "../../cli/dev/local-mesh.ts";
import type { Runtime } from "../../cli/dev/runtime.ts";
import { parseText } from "../../cli/documents.ts";
import { applyAnswer, issuedToken } from "../../shared/wire/admin.ts";
import { type Answer, type Ask, ask } from "./http-client.ts";
import { stateDir } from "./state-dir.ts";

const ADMIN_TOKEN = "end-to-end";

const EXAMPLE = new URL("../../examples/bookinfo/", import.meta.url);

type Rest = Omit<Ask, "port" | "host" | "path">;

/** The example on a mesh of its own, as `selvedge dev` starts it. */
export interface Bookinfo {
  readonly runtime: Runtime;
  readonly ratings: Ratings;
  readonly client: Client;
  /** Asks through the Gateway. */
  page(path: string, rest?: Rest): Promise<Answer>;
  /** Asks a service by its name in the mesh; `token` null for a caller without. */
  call(service: string, path: string, token: string | null): Promise<Answer>;
  /** A token of a workload of the example, `productpage` for bookinfo/bookinfo-productpage. */
  token(workload: string): Promise<string>;
  /** Applies a YAML file; its documents without namespace go to bookinfo. */
  apply(path: string): Promise<void>;
}

/** Starts it for the running test. */
export async function startBookinfo(options: Partial<LocalMeshOptions> = {}): Promise<Bookinfo> {
  const ratings = await startRatings(0, () => {});
  onTestFinished(() => ratings.stop());
  const runtime = await startMesh({ workers: DEMO_WORKERS, services: DEMO_SERVICES, ...options });
  const client = clientOf(runtime);
  await applyDemo(client, ratings.url);
  return {
    runtime,
    ratings,
    client,
    page: (path, rest = {}) => ask({ port: runtime.port, host: "bookinfo.localhost", path, ...rest }),
    call: (service, path, token) => callService(runtime, service, path, token),
    async token(workload) {
      const body = { workload: `bookinfo/bookinfo-${workload}` };
      const { token } = await client.call({ method: "POST", path: "/tokens", body, answer: issuedToken });
      return token;
    },
    async apply(path) {
      const { documents } = parseText(path, readFileSync(path, "utf8"));
      await applyDocuments(client, documents);
    },
  };
}

/** A mesh for the running test, without the example unless `options` bring it. */
export async function startMesh(options: Partial<LocalMeshOptions> = {}): Promise<Runtime> {
  const runtime = await startLocalMesh({
    port: 0,
    stateDir: options.stateDir ?? stateDir(),
    adminToken: ADMIN_TOKEN,
    workers: [],
    services: {},
    output: () => {},
    ...options,
  });
  onTestFinished(() => runtime.stop());
  return runtime;
}

/** The admin API's client of a mesh that `startMesh` started. */
export function clientOf({ url }: Runtime): Client {
  return createClient({ server: url, token: ADMIN_TOKEN, timeoutMs: 10_000 });
}

/** Applies documents; those without namespace go to bookinfo. Rejects if the mesh refuses them. */
export async function applyDocuments(client: Client, documents: readonly unknown[]): Promise<void> {
  const body = { documents, defaultNamespace: "bookinfo" };
  await client.call({ method: "POST", path: "/apply", body, answer: applyAnswer });
}

/** Path of one of the example's samples. */
export function sample(name: string): string {
  return fileURLToPath(new URL(`samples/${name}`, EXAMPLE));
}

/** Asks a service by its name in the mesh; `token` null for a caller without. */
export function callService(
  runtime: Runtime,
  service: string,
  path: string,
  token: string | null,
): Promise<Answer> {
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  return ask({ port: runtime.port, host: `${service}.bookinfo.mesh.localhost`, path, headers });
}
