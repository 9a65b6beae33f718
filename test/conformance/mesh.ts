import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRuntime } from "../../cli/dev/runtime.ts";
import type { Runtime } from "../../cli/dev/runtime.ts";
import type { WorkerSource } from "../../cli/dev/worker-config.ts";
import { ask } from "./http.ts";
import type { Reply } from "./http.ts";

const ADMIN_TOKEN = "conformance";

export interface TestMesh {
  readonly runtime: Runtime;
  /** Applies documents to the namespace `conformance`. Throws when they are refused. */
  apply(...documents: readonly unknown[]): Promise<void>;
  /** A token for a workload, `namespace/name`. */
  token(workload: string): Promise<string>;
  admin(method: string, path: string, body?: unknown): Promise<Reply>;
  /** Puts the registry out of reach of every host, or back. */
  cutRegistry(isDown: boolean): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the mesh with a Worker that calls and one that is called, both joined. */
export async function startMesh(output: (line: string) => void = () => undefined): Promise<TestMesh> {
  const stateDir = mkdtempSync(join(tmpdir(), "selvedge-conformance-"));
  const runtime = await startRuntime({
    workers: [meshWorker(), { configPath: local("workers/caller") }, { configPath: local("workers/callee") }],
    main: "selvedge",
    stateDir,
    sockets: {
      caller: { service: "caller" },
      callee: { service: "callee" },
      switch: { service: "selvedge", entrypoint: "Switch" },
    },
    output,
  });
  const admin = (method: string, path: string, body?: unknown): Promise<Reply> =>
    ask(runtime.port, `/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    runtime,
    admin,
    apply: async (...documents) => {
      const reply = await admin("POST", "/apply", { documents, defaultNamespace: "conformance" });
      if (reply.status !== 200) throw new Error(`apply: ${reply.status} ${reply.body}`);
    },
    token: async (workload) => {
      const reply = await admin("POST", "/tokens", { workload });
      if (reply.status >= 300) throw new Error(`token: ${reply.status} ${reply.body}`);
      return String(JSON.parse(reply.body).token);
    },
    cutRegistry: async (isDown) => {
      await ask(runtime.socket("switch").port, isDown ? "/down" : "/up", {});
    },
    stop: async () => {
      await runtime.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

function meshWorker(): WorkerSource {
  return {
    configPath: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)),
    main: fileURLToPath(new URL("workers/mesh/main.ts", import.meta.url)),
    vars: {
      SELVEDGE_TRUST_DOMAIN: "selvedge.test",
      SELVEDGE_MESH_DOMAIN: "mesh.test",
      SELVEDGE_ADMIN_HOSTS: "127.0.0.1",
      SELVEDGE_PRIVATE_ENDPOINTS: "allow",
      SELVEDGE_ADMIN_TOKEN_SHA256: createHash("sha256").update(ADMIN_TOKEN).digest("hex"),
    },
    services: { CALLEE: { service: "callee" } },
  };
}

function local(path: string): string {
  return fileURLToPath(new URL(`${path}/wrangler.toml`, import.meta.url));
}
