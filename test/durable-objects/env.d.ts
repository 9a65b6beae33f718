import type { Env as MeshEnv } from "../../durable-objects/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends MeshEnv {}
  }
}
