/**
 * Gateway API's TCPRoute and TLSRoute: streams to backends, told apart by
 * port and by the name that TLS asks for. Hosts that accept connections carry
 * them; status is the same for all.
 *
 * @module
 */
import { z } from "zod";
import { subdomain } from "../resource.ts";
import { hostnames, parentRefs, streamBackendRef, useDefaultGateways } from "./route-fields.ts";

const rules = z
  .array(
    z.strictObject({
      name: subdomain.optional(),
      backendRefs: z.array(streamBackendRef).min(1).max(16),
    }),
  )
  .min(1)
  .max(1, "at most one rule: nothing of a stream could choose between several");

/** Everything that comes to a port. */
export const tcpRouteSpec = z.strictObject({ parentRefs, rules, useDefaultGateways });

/** Everything that asks for one of the host names (SNI). */
export const tlsRouteSpec = z.strictObject({ parentRefs, hostnames, rules, useDefaultGateways });

export type TcpRouteSpec = z.output<typeof tcpRouteSpec>;
export type TlsRouteSpec = z.output<typeof tlsRouteSpec>;
