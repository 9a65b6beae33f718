/**
 * A mesh on this machine: its Worker, with the variables of a development
 * mesh, and other Workers beside it.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { hashToken } from "./admin-token.ts";
import { type Runtime, startRuntime } from "./runtime.ts";
import type { BindingTarget, ServiceTarget, WorkerSource } from "./worker-config.ts";

export interface LocalMeshOptions {
  readonly port: number;
  readonly stateDir: string;
  readonly adminToken: string;
  /** Workers beside the mesh's own. */
  readonly workers: readonly WorkerSource[];
  /** The mesh's bindings to them: what `binding:NAME` of an Endpoint means. */
  readonly services: Readonly<Record<string, BindingTarget>>;
  /** Another main module of the mesh's Worker, for tests that wrap it. */
  readonly meshMain?: string;
  readonly sockets?: Readonly<Record<string, ServiceTarget>>;
  /** Variables of the mesh's Worker besides those of a development mesh, and winning over them. */
  readonly vars?: Readonly<Record<string, string>>;
  readonly output: (line: string) => void;
}

/** `<service>.<namespace>.mesh.localhost`: every name below `localhost` is loopback (RFC 6761). */
export const MESH_DOMAIN = "mesh.localhost";

/** Starts it. Rejects with a `Failure` that says what to change. */
export function startLocalMesh(options: LocalMeshOptions): Promise<Runtime> {
  const mesh: WorkerSource = {
    configPath: fileURLToPath(new URL("../../wrangler.toml", import.meta.url)),
    ...(options.meshMain !== undefined && { main: options.meshMain }),
    vars: {
      SELVEDGE_TRUST_DOMAIN: "selvedge.local",
      SELVEDGE_MESH_DOMAIN: MESH_DOMAIN,
      SELVEDGE_ADMIN_HOSTS: "127.0.0.1,localhost,[::1]",
      SELVEDGE_PRIVATE_ENDPOINTS: "allow",
      SELVEDGE_ADMIN_TOKEN_SHA256: hashToken(options.adminToken),
      ...options.vars,
    },
    services: options.services,
  };
  return startRuntime({
    workers: [mesh, ...options.workers],
    main: "selvedge",
    port: options.port,
    stateDir: options.stateDir,
    sockets: options.sockets ?? {},
    output: options.output,
  });
}
