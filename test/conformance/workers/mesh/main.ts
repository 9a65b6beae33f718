/** The mesh's Worker with a switch that makes its registry fail, as if it were out of reach. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { RegistryObject as Registry } from "../../../../durable-objects/registry-object.ts";
import type { SyncAnswer, SyncRequest } from "../../../../shared/wire/registry-rpc.ts";

export { default } from "../../../../workers/main.ts";
export {
  AuthorityObject,
  CircuitObject,
  HealthObject,
  Mesh,
  RateLimitObject,
  ReplayObject,
  TelemetryObject,
} from "../../../../workers/main.ts";

let isDown = false;

export class RegistryObject extends Registry {
  override async sync(request: SyncRequest): Promise<SyncAnswer> {
    if (isDown) throw new Error("the registry is out of reach");
    return super.sync(request);
  }
}

export class Switch extends WorkerEntrypoint {
  override fetch(request: Request): Response {
    isDown = new URL(request.url).pathname === "/down";
    return new Response(null, { status: 204 });
  }
}
