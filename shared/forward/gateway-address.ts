/**
 * The header by which a trusted front (an agent, Spectrum, a local socket)
 * tells which address of a gateway it accepted a connection on:
 * `<namespace>/<gateway>;port=443;scheme=https`.
 *
 * @module
 */

/** Believed only at the entrypoint for fronts; from everywhere else it is removed, like all fields of the mesh. */
export const DOOR_HEADER = "x-selvedge-door";

/** Where a connection was accepted: only listeners of this gateway, port and scheme answer. */
export interface GatewayAddress {
  /** `namespace/name`. */
  readonly gateway: string;
  readonly port: number;
  readonly scheme: "http" | "https";
}

/** Writes the header's value. */
export function formatGatewayAddress({ gateway, port, scheme }: GatewayAddress): string {
  return `${gateway};port=${port};scheme=${scheme}`;
}

/** Reads the header's value; `null` when it is none. */
export function parseGatewayAddress(text: string): GatewayAddress | null {
  const [, gateway, digits, scheme] =
    /^([a-z0-9.-]+\/[a-z0-9.-]+);port=([0-9]{1,5});scheme=(https?)$/.exec(text) ?? [];
  const port = Number(digits);
  if (gateway === undefined || port < 1 || port > 65_535) return null;
  return { gateway, port, scheme: scheme === "https" ? "https" : "http" };
}
