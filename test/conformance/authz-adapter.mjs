/**
 * Drives a real mesh on the local runtime for a runner of Istio's
 * authorization and JWT cases:
 * `node run-authz.mjs --adapter test/conformance/authz-adapter.mjs --cases FILE`.
 */
export { startGuarded as default } from "./authz/guarded.ts";
