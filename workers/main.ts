/**
 * The mesh's Worker: the admin API on its own hosts, the data plane on every
 * other, the entrypoint that joined Workers bind to, and all object classes.
 *
 * @module
 */
import type { Env } from "../durable-objects/env.ts";
import { admin } from "./admin/app.ts";
import { isAdminHost } from "./admin-host.ts";
import { carryFromOutside } from "./edge/edge.ts";

export { AdminObject } from "../durable-objects/admin-object.ts";
export { AuthorityObject } from "../durable-objects/authority-object.ts";
export { CircuitObject } from "../durable-objects/circuit-object.ts";
export { HealthObject } from "../durable-objects/health-object.ts";
export { RateLimitObject } from "../durable-objects/rate-limit-object.ts";
export { RegistryObject } from "../durable-objects/registry-object.ts";
export { ReplayObject } from "../durable-objects/replay-object.ts";
export { TelemetryObject } from "../durable-objects/telemetry-object.ts";
export { Door } from "./door.ts";
export { Mesh } from "./mesh-entrypoint.ts";

export default {
  fetch(request, env, ctx) {
    return isAdminHost(request.url, env.SELVEDGE_ADMIN_HOSTS)
      ? admin.fetch(request, env, ctx)
      : carryFromOutside(request, env, ctx);
  },
} satisfies ExportedHandler<Env>;
