/**
 * The entrypoint for fronts that accept connections themselves and are
 * trusted to tell on which address of a gateway: an agent, Spectrum, a local
 * socket. Being bound to it is the trust; it is not reachable from outside.
 *
 * @module
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import type { Env } from "../durable-objects/env.ts";
import { DOOR_HEADER, parseGatewayAddress } from "../shared/forward/gateway-address.ts";
import type { Problem } from "../shared/wire/problem.ts";
import { carryThroughDoor, versionInForce } from "./edge/edge.ts";

const NO_ADDRESS: Problem = {
  code: "request.malformed",
  detail: `The front must say where it was called: ${DOOR_HEADER}: <namespace>/<gateway>;port=80;scheme=http.`,
};

/** What a front sends in the place of an address to learn which version of configuration is in force here. */
const STATUS = "status";

/** The entrypoint `Door`: carries what came in at one address of a gateway. */
export class Door extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    const told = request.headers.get(DOOR_HEADER) ?? "";
    if (told === STATUS) return Response.json({ version: await versionInForce(this.env, this.ctx) });
    const address = parseGatewayAddress(told);
    if (address === null) return Response.json(NO_ADDRESS, { status: 400 });
    return carryThroughDoor(request, address, { env: this.env, ctx: this.ctx });
  }
}
