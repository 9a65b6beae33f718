/**
 * The header by which a host of the mesh asks another to use one endpoint:
 * `<namespace>/<service>:<port>/<endpoint>`.
 *
 * @module
 */
import type { Destination } from "../shared/forward/ports.ts";

export const PIN_HEADER = "x-selvedge-endpoint";

export interface Pin extends Destination {
  readonly kind: "endpoint";
  readonly endpoint: string;
}

/** Writes the header's value. */
export function formatPin({ service, port }: Destination, endpoint: string): string {
  return `${service}:${port}/${endpoint}`;
}

/** Reads the header's value; `null` when it is none. */
export function parsePin(text: string): Pin | null {
  const [, service, port, endpoint] = /^([^/:]+\/[^/:]+):([0-9]{1,5})\/(.+)$/.exec(text) ?? [];
  if (service === undefined || port === undefined || endpoint === undefined) return null;
  return { kind: "endpoint", service, port: Number(port), endpoint };
}
