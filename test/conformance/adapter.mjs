/**
 * Drives a real mesh on the local runtime for a runner of Gateway API's
 * conformance cases: `node run.mjs --adapter test/conformance/adapter.mjs`.
 * The runner brings the backends; here are the mesh and the ways into it.
 */
export { startCluster as default } from "./gateway-api/cluster.ts";
