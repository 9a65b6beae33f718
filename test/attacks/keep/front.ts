/**
 * The mesh's Worker with a door for a front that ends TLS itself, as the
 * platform's does: what it says of the connection is believed, and only there.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import mesh from "../../../workers/main.ts";
import type { Env } from "../../../durable-objects/env.ts";

export { default } from "../../../workers/main.ts";
export * from "../../../workers/main.ts";

export class Front extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response | Promise<Response> {
    const headers = new Headers(request.headers);
    const cf: unknown = JSON.parse(atob(headers.get("x-front-cf") ?? "bnVsbA=="));
    headers.delete("x-front-cf");
    const fronted = typeof cf === "object" && cf !== null ? { headers, cf } : { headers };
    return mesh.fetch(new Request(request, fronted), this.env, this.ctx);
  }
}
