/** The mesh with a registry that can be made to fail, through a socket that is not the mesh's. */
import { fileURLToPath } from "node:url";
import type { LocalMeshOptions } from "../../cli/dev/local-mesh.ts";
import type { Runtime } from "../../cli/dev/runtime.ts";
import { ask } from "./http-client.ts";

/** To start such a mesh with. */
export const WITH_OUTAGES: Pick<LocalMeshOptions, "meshMain" | "sockets"> = {
  meshMain: fileURLToPath(new URL("fixtures/mesh-with-outages.js", import.meta.url)),
  sockets: { outage: { service: "selvedge", entrypoint: "Outage" } },
};

/** Makes the registry fail every call, answer none, or behave again. */
export async function setOutage(runtime: Runtime, step: "begin" | "end" | "hang"): Promise<void> {
  await tellOutage(runtime, step);
}

/** How often hosts have asked the registry for configuration since the mesh started. */
export async function countSyncs(runtime: Runtime): Promise<number> {
  return Number(await tellOutage(runtime, "count"));
}

async function tellOutage(runtime: Runtime, step: string): Promise<string> {
  const { body } = await ask({ port: runtime.socket("outage").port, host: "outage", path: `/${step}` });
  return body;
}
