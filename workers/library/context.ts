/**
 * What a joined Worker's handler gets from the mesh.
 *
 * @module
 */
import type { Caller } from "../../shared/engine/authorize.ts";

/** The mesh, as the handler of one invocation sees it: `ctx.mesh`. */
export interface MeshAccess {
  /** Who calls, proved by a token; `null` when the workload's policy lets unknown callers in, and outside of `fetch`. */
  readonly caller: Caller | null;
  /**
   * Calls a service of the mesh by its name: `http://reviews:9080/reviews/1`
   * in the Worker's own namespace, `http://reviews.shop/…` in another. Routes,
   * retries and time-outs are those of the mesh's configuration. Never
   * rejects: what fails is a response, with `Proxy-Status` where the mesh
   * gave it. Carries on the trace, request id, deadline and priority of the
   * call being handled. A call whose `signal` aborts ends, and is answered 499.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
}

/** A handler's context with the mesh on it. */
export type MeshContext = ExecutionContext & { readonly mesh: MeshAccess };

/** The handlers of a Worker: as the platform has them, with the mesh on their context. */
export interface MeshHandler<Env = unknown, Message = unknown> {
  fetch?(request: Request, env: Env, ctx: MeshContext): Response | Promise<Response>;
  scheduled?(controller: ScheduledController, env: Env, ctx: MeshContext): void | Promise<void>;
  queue?(batch: MessageBatch<Message>, env: Env, ctx: MeshContext): void | Promise<void>;
  email?(message: ForwardableEmailMessage, env: Env, ctx: MeshContext): void | Promise<void>;
  tail?(events: TraceItem[], env: Env, ctx: MeshContext): void | Promise<void>;
}

export interface MeshOptions {
  /** `namespace/name` of the Endpoint resource that stands for this Worker. */
  readonly workload: string;
  /** The service binding to the mesh's entrypoint; `MESH` unless given. */
  readonly binding?: string;
  /**
   * Where this Worker runs, `region` or `region/zone`: its calls prefer endpoints that are near. Unless
   * given, the continent and data centre that the platform tells of requests, such as `EU/FRA`.
   */
  readonly locality?: string;
  /**
   * Whether a sample of the calls that come in is recorded, so that policies can be tried on them before
   * they are applied (`selvedge authz simulate`). True unless given.
   */
  readonly recordsCalls?: boolean;
}
