/**
 * The mesh's Worker: the data plane on every host name but the admin API's,
 * the entrypoint that joined Workers bind to, and all object classes.
 *
 * @module
 */
import type { Env } from "../durable-objects/env.ts";

export { AuthorityObject } from "../durable-objects/authority-object.ts";
export { CircuitObject } from "../durable-objects/circuit-object.ts";
export { HealthObject } from "../durable-objects/health-object.ts";
export { RateLimitObject } from "../durable-objects/rate-limit-object.ts";
export { RegistryObject } from "../durable-objects/registry-object.ts";
export { TelemetryObject } from "../durable-objects/telemetry-object.ts";

export default {
  fetch(): Response {
    return new Response("selvedge\n");
  },
} satisfies ExportedHandler<Env>;
