import { ask } from "./http.ts";
import type { Ask, Reply } from "./http.ts";
import type { TestMesh } from "./mesh.ts";

/** Calls a service of the namespace `conformance` through one host of the mesh, as the workload `conformance/caller`. */
export type CallService = (service: string, path: string, request?: Ask) => Promise<Reply>;

/** A call from outside to the edge, with a token. */
export function throughEdge({ runtime }: TestMesh, token: string): CallService {
  return (service, path, request = {}) => {
    const own = { host: `${service}.conformance.mesh.test`, authorization: `Bearer ${token}` };
    return ask(runtime.port, path, { ...request, headers: { ...own, ...request.headers } });
  };
}

/** A call of a joined Worker, by the library in it. */
export function throughLibrary({ runtime }: TestMesh): CallService {
  return (service, path, request = {}) => {
    const own = { host: "caller", "x-call": `http://${service}${path}` };
    return ask(runtime.socket("caller").port, "/", { ...request, headers: { ...own, ...request.headers } });
  };
}
