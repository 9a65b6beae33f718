/**
 * Endpoints and their health as a table.
 *
 * @module
 */
import type { ServiceStatus } from "../shared/wire/registry-rpc.ts";
import type { Io } from "./io.ts";
import { paint, renderTable } from "./output.ts";

type Endpoint = ServiceStatus["endpoints"][number];

/** One line per endpoint. Health is the last column, so that its color does not disturb the others. */
export function endpointTable(io: Io, endpoints: readonly Endpoint[]): string {
  const head = ["ENDPOINT", "ADDRESS", "VERSION", "WEIGHT", "SOURCE", "HEALTH"];
  const rows = endpoints.map((endpoint) => [
    endpoint.id,
    endpoint.address,
    endpoint.version,
    String(endpoint.weight),
    endpoint.source,
    healthText(endpoint),
  ]);
  return renderTable(head, rows).replace(/(healthy|unhealthy|draining|ejected)$/gm, (health) =>
    paint(io, health === "healthy" ? "green" : "red", health),
  );
}

/** An ejected endpoint is told as such: it gets no calls, whatever its checks say. */
export function healthText(endpoint: Pick<Endpoint, "health" | "isEjected">): string {
  return endpoint.isEjected ? "ejected" : endpoint.health;
}
